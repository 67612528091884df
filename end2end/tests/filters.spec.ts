import type { Page } from '@playwright/test';

import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';
import { unfold } from './unfold';

test('filters stay in the address, over a reload and the way back', async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  const rows = page.getByTestId('message-row');
  await expect(rows).toHaveCount(12);

  await unfold(page);
  await page.getByLabel('Decision').selectOption('Rejected');
  await expect(page).toHaveURL(/[?&]decision=rejected(&|$)/);
  await expect(rows).toHaveCount(4);

  await page.getByLabel('Intent').selectOption('Supplier invoice');
  await expect(page).toHaveURL(/[?&]intent=\d+/);
  await expect(rows).toHaveCount(2);

  await page.getByRole('searchbox', { name: 'Search' }).fill('Brightbox');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/[?&]q=Brightbox/);
  await expect(page, 'its button has no name').not.toHaveURL(/[?&]=/);
  await expect(rows).toHaveCount(1);

  await page.reload();
  await hydrated(page);
  await expect(rows).toHaveCount(1);
  await expect(page.getByLabel('Decision')).toHaveValue('rejected');
  await expect(page.getByLabel('Intent').locator('option:checked')).toHaveText('Supplier invoice');
  await expect(page.getByRole('searchbox', { name: 'Search' })).toHaveValue('Brightbox');

  await rows.getByRole('link').click();
  await expect(page.getByTestId('message')).toBeVisible();
  await page.goBack();
  await expect(rows).toHaveCount(1);
  await page.goBack();
  await expect(rows).toHaveCount(2);
  await expect(page.getByRole('searchbox', { name: 'Search' })).toHaveValue('');

  await unfold(page);
  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(rows).toHaveCount(12);
  await expect(page.getByLabel('Decision')).toHaveValue('');
});

test('what could not be checked is found by a filter, which stays in the address', async ({ page, request }) => {
  const found = await (await request.get('/api/emails?tenant_id=acme_corp&could_not_ask=true')).json();
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  await unfold(page);
  const rules = page.getByRole('combobox', { name: 'Rules', exact: true });
  await rules.selectOption('Could not be checked');
  await expect(page).toHaveURL(/[?&]could_not_ask=true(&|$)/);
  await expect(page.getByTestId('message-row')).toHaveCount(found.length);
  await page.reload();
  await hydrated(page);
  await unfold(page);
  await expect(rules).toHaveValue('true');
  await expect(page.getByTestId('message-row')).toHaveCount(found.length);
});

test('what is set no more stays where the keyboard was, until it is folded up', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages?delivery=failed');
  await hydrated(page);
  const [fold, deliveries] = [page.getByTestId('filters').locator('summary'), page.getByLabel('Deliveries')];
  await deliveries.focus();
  await deliveries.selectOption('Any');
  await expect(page).not.toHaveURL(/delivery=failed/);
  await expect(fold).toBeVisible();
  await expect(deliveries).toBeVisible();
  await expect(deliveries).toBeFocused();
  await page.getByRole('searchbox', { name: 'Search' }).focus();
  await expect(deliveries, 'what goes by itself moves the list').toBeVisible();
  await fold.click();
  await expect(deliveries).toBeHidden();
});

test('what is pressed in the list stays under the pointer, though a filter had the keyboard that is set no more', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages?delivery=failed');
  await hydrated(page);
  const deliveries = page.getByLabel('Deliveries');
  const rows = page.getByTestId('message-row');
  await deliveries.focus();
  await deliveries.selectOption('Any');
  await expect(rows).toHaveCount(12);
  await expect(page.getByTestId('list')).toHaveAttribute('aria-busy', 'false');
  const link = rows.first().getByRole('link');
  const subject = await link.innerText();
  const { x, y } = (await link.boundingBox())!;
  await page.mouse.move(x + 4, y + 4);
  await page.mouse.down();
  await page.mouse.up();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(subject);
});

for (const isScripted of [true, false]) {
  test.describe(isScripted ? 'on a wide page' : 'on a wide page without a script', { tag: '@desktop' }, () => {
    test.use({ javaScriptEnabled: isScripted });

    test('the filters stand in one line, and those that are seldom set as long as they are', async ({ page }) => {
      const form = page.getByRole('search');
      const fold = form.getByTestId('filters').locator('summary');
      const [decision, deliveries] = [page.getByLabel('Decision'), page.getByLabel('Deliveries')];
      const open = async (query: string) => {
        await page.goto(`/t/acme_corp/messages${query}`);
        if (isScripted) await hydrated(page);
      };
      await open('?decision=rejected');
      await expect(form.getByRole('link', { name: 'Clear' })).toBeVisible();
      await expect(decision).toBeVisible();
      await expect(deliveries).toBeHidden();
      expect((await form.boundingBox())!.height, 'in one line').toBeLessThan(70);
      await expect(fold).toHaveText('More filters', { useInnerText: true });
      await fold.click();
      await expect(deliveries).toBeVisible();
      await open('?delivery=delivered');
      await expect(deliveries).toBeVisible();
      await expect(fold, 'what narrows the list is not folded up').toBeHidden();
    });
  });

  test.describe(isScripted ? 'on a phone' : 'on a phone without a script', { tag: '@phone' }, () => {
    test.use({ javaScriptEnabled: isScripted });

    test('the messages come right after the search, and the filters unfold', async ({ page }) => {
      await page.goto('/t/acme_corp/messages?decision=rejected');
      if (isScripted) await hydrated(page);
      const form = page.getByRole('search');
      const search = form.getByRole('searchbox');
      const fold = form.getByTestId('filters').locator('summary');
      const decision = page.getByLabel('Decision');
      await expect(fold).toHaveText('Filters (1)', { useInnerText: true });
      await expect(decision).toBeHidden();
      const { y, height } = (await search.boundingBox())!;
      expect((await page.getByTestId('message-row').first().boundingBox())!.y - y - height).toBeLessThan(60);
      for (const target of [fold, form.getByRole('button', { name: 'Search', exact: true })]) {
        const box = (await target.boundingBox())!;
        expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(44);
        expect(Math.abs(box.y - y), 'in one line with the search').toBeLessThan(2);
      }

      await search.fill('Brightbox');
      await page.keyboard.press('Enter');
      await expect(page, 'what is folded narrows further').toHaveURL(/decision=rejected/);
      await expect(page).toHaveURL(/[?&]q=Brightbox(&|$)/);
      await fold.click();
      await expect(decision).toHaveValue('rejected');
      await decision.selectOption('Any');
      if (!isScripted) await form.getByRole('button', { name: 'Filter', exact: true }).click();
      await expect(fold).toHaveText('Filters', { useInnerText: true });
      await expect(page).not.toHaveURL(/decision=rejected/);
    });

    test('so do those of other lists that have many, and tell how many are set', async ({ page }) => {
      for (const [address, row, label] of [
        ['/t/acme_corp/audit?action=intent&shown=everything', 'entry', 'What'],
        ['/t/acme_corp/rules?type=exists&active=true', 'rule', 'Type'],
      ] as const) {
        await page.goto(address);
        if (isScripted) await hydrated(page);
        const form = page.getByRole('search');
        const fold = form.getByTestId('filters').locator('summary');
        const [field, filter] = [page.getByLabel(label), form.getByRole('button', { name: 'Filter', exact: true })];
        await expect(fold, address).toHaveText('Filters (2)', { useInnerText: true });
        await expect(page.getByTestId(row).first()).toBeInViewport();
        await expect(field).toBeHidden();
        await expect(filter).toBeHidden();
        expect((await form.boundingBox())!.height, 'one line, as high as a finger').toBe(44);
        await fold.click();
        await expect(field).toBeVisible();
        await expect(filter).toBeVisible();
        await form.getByRole('link', { name: 'Clear' }).click();
        await expect(fold).toHaveText('Filters', { useInnerText: true });
      }
    });
  });
}

/** Opens a page, and does something to it before it is taken over. */
async function openAndAct(page: Page, address: string, act: () => Promise<void>): Promise<void> {
  let go = () => {};
  const gate = new Promise<void>((resolve) => (go = resolve));
  await page.route('**/*.wasm', async (route) => {
    await gate;
    await route.continue();
  });
  await page.goto(address, { waitUntil: 'commit' });
  await act();
  go();
  await hydrated(page);
}

test('what is typed before the page is taken over is kept, and what is chosen applies', { tag: '@desktop' }, async ({ page }) => {
  const search = page.getByRole('searchbox', { name: 'Search' });
  const from = page.getByLabel('From', { exact: true });
  await openAndAct(page, '/t/acme_corp/messages?decision=accepted&to=2021-01-01', async () => {
    await search.fill('bookshelf');
    await from.fill('2020-01-01');
    await page.getByLabel('Decision').selectOption('Rejected');
    await page.getByLabel('Intent').selectOption('Supplier invoice');
  });
  // The zone of the day that was typed is the reader's.
  for (const part of [/q=bookshelf/, /decision=rejected/, /intent=\d+/, /from=2020-01-01&to=2021-01-01&zone=-210/]) {
    await expect(page).toHaveURL(part);
  }
  await expect(search).toHaveValue('bookshelf');
  await expect(from).toHaveValue('2020-01-01');
  await expect(page.getByLabel('To', { exact: true }), 'the address is heard of all the same').toHaveValue('2021-01-01');
  await expect(page.getByLabel('Decision')).toHaveValue('rejected');
  await expect(page.getByLabel('Intent').locator('option:checked')).toHaveText('Supplier invoice');

  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(search, 'another address is written over it').toHaveValue('');
  await expect(from).toHaveValue('');
  await expect(page.getByLabel('Decision')).toHaveValue('');
  await page.goBack();
  await expect(page).toHaveURL(/q=bookshelf/);
  await page.goBack();
  await expect(page, 'two that are chosen apply at once').toHaveURL(/\?decision=accepted&to=2021-01-01$/);
  await expect(page.getByLabel('Decision')).toHaveValue('accepted');
});

test('what is chosen before the page is taken over leaves the keyboard where somebody types', { tag: '@desktop' }, async ({ page }) => {
  const search = page.getByRole('searchbox', { name: 'Search' });
  await openAndAct(page, '/t/acme_corp/messages', async () => {
    await page.getByLabel('Decision').selectOption('Rejected');
    await search.focus();
  });
  await expect(page).toHaveURL(/decision=rejected/);
  await expect(page.getByTestId('message-row')).toHaveCount(4);
  await expect(search).toBeFocused();
});

test('what is chosen in an editor before the page is taken over is kept', { tag: '@desktop' }, async ({ page }) => {
  await openAndAct(page, '/t/acme_corp/routes/new', async () => {
    await page.getByTestId('route-kind').selectOption('label');
    await page.getByTestId('rejected').check();
  });
  await expect(page.getByTestId('route-kind')).toHaveValue('label');
  await expect(page.getByTestId('route-label'), 'the form heard of it').toBeVisible();
  await expect(page.getByTestId('route-url')).toHaveCount(0);
  await expect(page.getByTestId('rejected')).toBeChecked();
  await expect(page.getByTestId('accepted')).not.toBeChecked();
  await expect(page.getByTestId('save-bar').getByRole('status')).toHaveText('Not saved yet');
  await page.getByTestId('route-kind').selectOption('webhook');
  await expect(page.getByTestId('route-url')).toBeVisible();
});

test('what goes with a choice that was made before the page is taken over is right', { tag: '@desktop' }, async ({ page }) => {
  await openAndAct(page, '/t/acme_corp/datasources/new', async () => {
    await page.getByTestId('type').selectOption('HTTP API');
  });
  await expect(page.getByTestId('base-url')).toBeVisible();
  await expect(page.getByTestId('host')).toHaveCount(0);
  await expect(page.getByTestId('type').locator('option:checked')).toHaveText('HTTP API');
});

test('rows that are ticked before the page is taken over are chosen', { tag: '@desktop' }, async ({ page }) => {
  const boxes = page.getByTestId('choose');
  await openAndAct(page, '/t/acme_corp/messages', async () => {
    await boxes.nth(0).check();
    await boxes.nth(2).check();
  });
  await expect(page.getByTestId('bulk')).toContainText('2 chosen');
  await expect(boxes.nth(0)).toBeChecked();
  await expect(boxes.nth(1)).not.toBeChecked();
  await expect(boxes.nth(2)).toBeChecked();
  await boxes.nth(0).uncheck();
  await expect(page.getByTestId('bulk')).toContainText('1 chosen');
});

test('what is typed and not sent goes with the address that it was typed for', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages?decision=accepted');
  await hydrated(page);
  await unfold(page);
  const search = page.getByRole('searchbox', { name: 'Search' });
  const to = page.getByLabel('To', { exact: true });
  const type = async () => {
    await search.fill('bookshelf');
    await to.fill('2021-01-01');
  };
  const isGone = async (how: string) => {
    await expect(search, how).toHaveValue('');
    await expect(to, how).toHaveValue('');
  };
  await type();
  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(page).toHaveURL(/\/messages$/);
  await isGone('by a link');
  await type();
  await page.goBack();
  await expect(page).toHaveURL(/decision=accepted/);
  await isGone('by the browser’s button');
  await page.getByLabel('Decision').selectOption('Rejected');
  await expect(page.getByTestId('message-row')).toHaveCount(4);
  await expect(page).not.toHaveURL(/bookshelf|2021-01-01/);
});

test('so it is in the log', { tag: '@desktop' }, async ({ page }) => {
  const who = page.getByLabel('Who');
  await openAndAct(page, '/t/acme_corp/audit', () => who.fill('nobody of this name'));
  await expect(who).toHaveValue('nobody of this name');
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await expect(page).toHaveURL(/actor=nobody/);
  const what = page.getByLabel('What');
  await what.fill('never sent');
  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(who).toHaveValue('');
  await expect(what, 'what was not sent goes, too').toHaveValue('');
});

test('a list that is to make room for another says so, and is not worked on', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  const rows = page.getByTestId('message-row');
  const list = page.getByTestId('list');
  const behind = page.getByTestId('list-behind');
  await page.getByTestId('choose').nth(0).check();
  await page.getByTestId('choose').nth(1).check();
  await expect(page.getByTestId('bulk')).toContainText('2 chosen');
  await expect(list).toHaveAttribute('aria-busy', 'false');

  const { answer } = await hold(page, '**/ui/emails/list');
  await page.getByLabel('Decision').selectOption('Rejected');
  await expect(list).toHaveAttribute('inert', '');
  await expect(list).toHaveAttribute('aria-busy', 'true');
  await expect(behind).toHaveText('Loading');
  await expect(rows, 'what stood there stays until then').toHaveCount(12);
  // As software may press a button that cannot be clicked: what it does to must still be there.
  for (const button of ['bulk-all', 'bulk-none']) await page.getByTestId(button).dispatchEvent('click');
  await expect(page.getByTestId('bulk')).toBeHidden();

  answer();
  await expect(rows).toHaveCount(4);
  await expect(list).not.toHaveAttribute('inert', '');
  await expect(list).toHaveAttribute('aria-busy', 'false');
  await expect(behind).toHaveText('');
  await page.getByTestId('choose').nth(0).check();
  await expect(page.getByTestId('bulk')).toContainText('1 chosen');
});

test('an intent that is not known any more goes on narrowing the list', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages?intent=987654');
  await hydrated(page);
  await expect(page.getByLabel('Intent')).toHaveValue('987654');
  await page.getByLabel('Decision').selectOption('Rejected');
  await expect(page).toHaveURL(/[?&]decision=rejected(&|$)/);
  await expect(page).toHaveURL(/[?&]intent=987654(&|$)/);
});

test('a search that finds nothing says so, and leads back', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages?q=zeppelin');
  await hydrated(page);
  await expect(page.getByTestId('empty')).toContainText('No message fits');
  await page.getByTestId('empty').getByRole('link', { name: 'All messages' }).click();
  await expect(page.getByTestId('message-row')).toHaveCount(12);
});

test('what is searched for is a value, not a pattern, and not markup', { tag: '@desktop' }, async ({ page }) => {
  for (const text of ['%', '_', "' OR 1=1 --", '<script>alert(1)</script>']) {
    await page.goto(`/t/acme_corp/messages?${new URLSearchParams({ q: text })}`);
    await hydrated(page);
    await expect(page.getByRole('searchbox', { name: 'Search' })).toHaveValue(text);
    await expect(page.getByTestId('empty')).toBeVisible();
  }
});

test('a message is found by what its text says, whatever the case', { tag: '@desktop' }, async ({ page }) => {
  await page.goto(`/t/acme_corp/messages?${new URLSearchParams({ q: 'BOOKSHELF nair' })}`);
  await hydrated(page);
  const rows = page.getByTestId('message-row');
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText('Where is my order 1042?');
  await expect(page.getByTestId('found-so-far')).toHaveCount(0);
});

test('a search that has looked at so many messages leads further back', { tag: '@desktop' }, async ({ page }) => {
  // As many messages as a page of a search looks at would take long to make: of the newest, this answers that none fits.
  const last = 'ffffffff-ffff-7fff-8fff-ffffffffffff';
  await page.route('**/ui/emails/list', async (route) => {
    const form = new URLSearchParams(route.request().postData() ?? '');
    if (form.has('before')) {
      await route.continue();
    } else {
      await route.fulfill({ json: { emails: [], next: last } });
    }
  });
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  await page.getByRole('searchbox', { name: 'Search' }).fill('bookshelf');
  await page.keyboard.press('Enter');
  const empty = page.getByTestId('empty');
  await expect(empty).toContainText('Nothing in the newest 5,000 messages');
  const further = empty.getByRole('link', { name: 'Look further back' });
  const href = await further.getAttribute('href');
  await expect(page.getByTestId('older'), 'both lead to the next page').toHaveAttribute('href', href ?? '');

  await further.click();
  await expect(page).toHaveURL(/[?&]q=bookshelf&before=ffffffff/);
  await expect(page.getByTestId('message-row')).toHaveCount(1);
  await expect(page.getByTestId('older')).toHaveCount(0);
  await page.getByRole('link', { name: 'Newest' }).click();
  await expect(empty).toContainText('Nothing in the newest 5,000 messages');
});
