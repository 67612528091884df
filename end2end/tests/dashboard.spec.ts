// The dashboard follows what happens, and nobody loses by it what they are looking at.
import type { Locator } from '@playwright/test';

import { asksAfterMessage, openLive } from './arrivals';
import { expect, hydrated, test } from './fixtures';
import { look } from './look';

const ADDRESS = /\/ui\/dashboard$/;

const hrefs = (links: Locator) => links.evaluateAll((links) => links.map((link) => link.getAttribute('href')));

test('the latest messages stay where they are under the pointer and the keyboard', { tag: '@desktop' }, async ({ page, request }) => {
  // What waits for a pointer to have rested goes off by hand.
  await page.addInitScript(() => {
    const { setTimeout, clearTimeout } = window;
    const rests = new Map<number, () => void>();
    let next = 1_000_000;
    Object.assign(window, {
      rests,
      setTimeout: (run: () => void, ms?: number) => {
        if (ms !== 10_000) return setTimeout(run, ms);
        rests.set(++next, run);
        return next;
      },
      clearTimeout: (id: number) => rests.delete(id) || clearTimeout(id),
    });
  });
  await openLive(page, '');
  const links = page.getByTestId('latest').getByTestId('message-row').getByRole('link');
  const received = page.getByTestId('count-received');
  const comes = async () => {
    const before = (await received.textContent())!;
    await asksAfterMessage(page, request, ADDRESS);
    await expect(received, 'what is counted follows').not.toHaveText(before);
  };

  await test.step('under the pointer, until it goes', async () => {
    await links.nth(2).hover();
    const before = await hrefs(links);
    await comes();
    expect(await hrefs(links)).toEqual(before);
    await page.mouse.move(0, 0);
    await expect.poll(() => hrefs(links)).not.toEqual(before);
  });

  await test.step('under a pointer that was left there, until it has rested', async () => {
    await links.nth(2).hover();
    const before = await hrefs(links);
    await comes();
    expect(await hrefs(links)).toEqual(before);
    await expect
      .poll(async () => {
        // Rows that move beneath a pointer may tell it as one that came.
        await page.evaluate('window.rests.forEach((run, id) => window.rests.delete(id) && run())');
        return hrefs(links);
      })
      .not.toEqual(before);
    await page.mouse.move(0, 0);
  });

  await test.step('with the keyboard in them', async () => {
    await links.nth(2).focus();
    const before = await hrefs(links);
    await comes();
    expect(await hrefs(links)).toEqual(before);
    await expect(links.nth(2)).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(page.getByTestId('message')).toBeVisible();
    expect(new URL(page.url()).pathname).toBe(before[2]);
  });
});

test.describe('a busy server', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('takes no dashboard away', async ({ page, request }) => {
    await openLive(page, '');
    const received = page.getByTestId('count-received');
    const before = (await received.textContent())!;
    await received.evaluate((element) => Object.assign(element, { isTheSame: true }));
    await page.route(ADDRESS, (route) => route.fulfill({ status: 503 }));
    await asksAfterMessage(page, request, ADDRESS, 503);
    await page.unroute(ADDRESS);
    await asksAfterMessage(page, request, ADDRESS);
    await expect(received).not.toHaveText(before);
    await expect(page.getByTestId('problem')).toHaveCount(0);
    expect(await received.evaluate((element) => 'isTheSame' in element), 'it was there all the time').toBe(true);
  });
});

test('a new tenant is told what to do first, until something is there', async ({ page, request }, { project }) => {
  const tenant = `dashboard_new_${project.name}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: `New ${project.name}` } })).status()).toBe(201);
  try {
    await page.goto(`/t/${tenant}`);
    await hydrated(page);
    const steps = page.getByTestId('first-steps');
    await expect(steps.getByRole('heading', { level: 3 })).toHaveText(['1. A datasource', '2. An intent', '3. Messages']);
    await look(page, `${project.name}-dashboard-new`);
    await steps.getByRole('link', { name: 'New intent' }).click();
    await expect(page).toHaveURL(new RegExp(`/t/${tenant}/intents/new$`));
    expect((await request.post(`/api/intents?tenant_id=${tenant}`, { data: { name: 'Orders' } })).status()).toBe(201);
    await page.goto(`/t/${tenant}`);
    await hydrated(page);
    await expect(page.getByTestId('count-intents')).toContainText('1');
    await expect(steps).toHaveCount(0);
  } finally {
    await page.goto('about:blank');
    await request.delete(`/api/tenants/${tenant}`);
  }
});

test('rules that fail are told apart, and lead to their intents', { tag: '@desktop' }, async ({ page, request }) => {
  const tenant = 'dashboard_rules';
  const of = `tenant_id=${tenant}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: 'Rules that fail' } })).status()).toBe(201);
  try {
    const ids: Record<string, number> = {};
    for (const [name, pattern] of [['Orders', '^ORDER'], ['Parcels', '^PARCEL']]) {
      const made = await request.post(`/api/intents/with-rules?${of}`, {
        data: {
          intent: { name, match: { any: [{ field: 'subject', op: 'contains', value: name }] } },
          validation_rules: [{ field_name: 'subject', rule_type: 'regex', conditions: { pattern } }],
        },
      });
      expect(made.status()).toBe(201);
      ids[name] = (await made.json()).intent.intent_id;
      const data = `From: ann@customer.example\r\nTo: desk@example.com\r\nSubject: My ${name}\r\n\r\nHello\r\n`;
      const taken = await request.post(`/api/emails?${of}`, { data, headers: { 'Content-Type': 'message/rfc822' } });
      const { email_id } = await taken.json();
      await expect.poll(async () => (await (await request.get(`/api/emails/${email_id}?${of}`)).json()).decision).toBe('rejected');
    }
    await page.goto(`/t/${tenant}`);
    await hydrated(page);
    const failing = page.getByTestId('failing').getByRole('listitem');
    for (const [name, words] of [
      ['Orders', 'The subject must match ^ORDER'],
      ['Parcels', 'The subject must match ^PARCEL'],
    ]) {
      const row = failing.filter({ hasText: words });
      await expect(row.getByRole('link', { name, exact: true })).toHaveAttribute('href', `/t/${tenant}/intents/${ids[name]}`);
      await expect(row).toContainText('1 of 1 failed');
    }
    await page.goto(`/t/${tenant}/rules`);
    await expect(page.getByTestId('rule').filter({ hasText: 'Orders' })).toContainText('The subject must match ^ORDER');
  } finally {
    await page.goto('about:blank');
    await request.delete(`/api/tenants/${tenant}`);
  }
});
