// How much WASM the browser fetches, compressed as it is served.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

import { expect, hydrated, test } from '../tests/fixtures';

const KB = 1024;

/** The size of a file after brotli at its best, which `./dev release` leaves beside it for the server. */
function compressed(file: string): number {
  const bytes = readFileSync(file);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 };
  return brotliCompressSync(bytes, { params }).length;
}

const folder = join(process.env.E2E_SITE!, 'pkg');
const sizes = new Map(
  readdirSync(folder)
    .filter((name) => name.endsWith('.wasm'))
    .map((name) => [name, compressed(join(folder, name))]),
);

const PAGES: Record<string, string> = {
  'sign-in': '/sign-in',
  dashboard: '/t/acme_corp',
  messages: '/t/acme_corp/messages',
  'intent editor': '/t/acme_corp/intents/new',
  datasources: '/t/acme_corp/datasources',
  members: '/t/acme_corp/members',
};
/** For each page, in KiB. */
const BUDGET = 350;

for (const [name, address] of Object.entries(PAGES)) {
  test(`${name} takes at most ${BUDGET} KiB of WASM`, async ({ page }) => {
    const fetched = new Set<string>();
    page.on('request', (request) => {
      const file = /\/pkg\/([^/]+\.wasm)$/.exec(new URL(request.url()).pathname)?.[1];
      if (file) fetched.add(file);
    });
    await page.goto(address);
    await hydrated(page);
    await expect(page.getByTestId('loading')).toHaveCount(0);
    const total = [...fetched].reduce((sum, file) => sum + sizes.get(file)!, 0);
    console.log(`${name}: ${Math.round(total / KB)} KiB in ${fetched.size} files`);
    expect(total / KB).toBeLessThanOrEqual(BUDGET);
  });
}

test('the whole application', () => {
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  console.log(`all pages: ${Math.round(total / KB)} KiB in ${sizes.size} files`);
  expect(sizes.size, 'the build is split').toBeGreaterThan(1);
});
