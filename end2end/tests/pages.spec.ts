// What must hold of every page: it is accessible in light and dark, it fits, and it is kept as a picture.
import AxeBuilder from '@axe-core/playwright';
import type { APIRequestContext, Page } from '@playwright/test';

import { STAR, invite, messageId, only } from './demo';
import { expect, hydrated, test } from './fixtures';

const PAGES: Record<string, (request: APIRequestContext) => string | Promise<string>> = {
  'sign-in': () => '/sign-in?error=used',
  forgot: () => '/forgot?done=mailed',
  reset: () => '/reset/abc?error=weak',
  account: () => '/account',
  invitation: async (request) => (await invite(request, 'pages@acme.example')).pathname,
  'tenant-selector': () => '/',
  tenants: () => '/tenants',
  dashboard: () => '/t/acme_corp',
  messages: () => '/t/acme_corp/messages?decision=rejected',
  'messages-none': () => '/t/acme_corp/messages?q=zeppelin',
  message: async (request) => `/t/acme_corp/messages/${await messageId(request, STAR)}`,
  'message-asked-of-http': async (request) => `/t/acme_corp/messages/${await messageId(request, 'refund')}`,
  'message-without-intent': async (request) => `/t/globex_inc/messages/${await messageId(request, 'Automatic reply', 'globex_inc')}`,
  intents: () => '/t/acme_corp/intents',
  intent: async (request) => `/t/acme_corp/intents/${await only(request, 'intents', 'q=Supplier+invoice', 'intent_id')}`,
  rules: () => '/t/acme_corp/rules',
  datasources: () => '/t/acme_corp/datasources',
  configs: () => '/t/acme_corp/configs',
  files: () => '/t/acme_corp/files',
  try: async (request) => `/t/acme_corp/try?intent=${await only(request, 'intents', 'q=Order+enquiry', 'intent_id')}`,
  'not-found': () => '/t/acme_corp/messages/nonsense',
  'no-such-page': () => '/no/such/page',
};

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
/** Those of the rules for which dark differs from light. */
const BY_COLOUR = ['color-contrast', 'link-in-text-block'];

test.use({ expectedFaults: /status of 404/ });

for (const [name, address] of Object.entries(PAGES)) {
  test(`${name} is accessible and fits`, async ({ page, request }, { project }) => {
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    await page.goto(await address(request));
    await hydrated(page);
    await expect(page.getByTestId('loading')).toHaveCount(0);
    await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
    await expect(page).toHaveTitle(/.+ · FlowEngine$/);

    await shoot(page, `${project.name}-${name}-light`);
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)));
    const axe = new AxeBuilder({ page });
    expect.soft(await violations(axe.withTags(WCAG)), 'in light').toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect.soft(await violations(axe.withRules(BY_COLOUR)), 'in dark').toEqual([]);
    await shoot(page, `${project.name}-${name}-dark`);

    if (project.name === 'phone') {
      expect.soft(await smallTargets(page), 'smaller than 44 px').toEqual([]);
    }
    const { width, height } = page.viewportSize()!;
    // 320 px are what a desktop zoomed to 400 % has left (WCAG 1.4.10); 768 px is the narrowest with a sidebar.
    for (const tried of [width, project.name === 'phone' ? 320 : 768]) {
      await page.setViewportSize({ width: tried, height });
      expect.soft(await tooWide(page), `wider than ${tried} px`).toEqual([]);
    }
  });
}

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `test-results/screens/${name}.png`, fullPage: true });
}

async function violations(axe: AxeBuilder): Promise<string[]> {
  const found = (await axe.analyze()).violations;
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}

/** What can be touched, and is smaller than a finger. */
function smallTargets(page: Page): Promise<string[]> {
  return page.locator('button, .button, select, input:not([type=hidden]), summary').evaluateAll((elements) =>
    elements
      .filter((element) => element.checkVisibility())
      .map((element) => ({ element, box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.width < 44 || box.height < 44)
      .map(({ element, box }) => `${Math.round(box.width)} x ${Math.round(box.height)}: ${element.outerHTML.slice(0, 120)}`),
  );
}

/** If the page scrolls sideways: what reaches beyond its edge. */
function tooWide(page: Page): Promise<string[]> {
  return page.evaluate((width) => {
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.body.querySelectorAll('*')].filter((element) => element.getBoundingClientRect().right > width);
    return [`scrolls to ${document.documentElement.scrollWidth}`, ...wide.map((element) => element.outerHTML.slice(0, 120))];
  }, page.viewportSize()!.width);
}
