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

/** The compiler writes paths of the machine into the files: another home weighs a little more or less. */
const ALLOWANCE = 1.02;

/** All pages together, in KiB. The aim is 350; beyond it, what is reached may not be lost again. */
const WHOLE = 1011;

/** Each page's address and budget in KiB. */
const PAGES: Record<string, [string, number]> = {
  'sign-in': ['/sign-in', 333],
  dashboard: ['/t/acme_corp', 342],
  messages: ['/t/acme_corp/messages', 494],
  'intent editor': ['/t/acme_corp/intents/new', 789],
};

for (const [name, [address, budget]] of Object.entries(PAGES)) {
  test(`${name} takes at most ${budget} KiB of WASM`, async ({ page }) => {
    const fetched = new Set<string>();
    page.on('request', (request) => {
      const file = /\/pkg\/[0-9a-f]+\/([^/]+\.wasm)$/.exec(new URL(request.url()).pathname)?.[1];
      if (file) fetched.add(file);
    });
    await page.goto(address);
    await hydrated(page);
    await expect(page.getByTestId('loading')).toHaveCount(0);
    const total = [...fetched].reduce((sum, file) => sum + sizes.get(file)!, 0);
    console.log(`${name}: ${Math.round(total / KB)} KiB in ${fetched.size} files`);
    expect(total / KB).toBeLessThanOrEqual(budget * ALLOWANCE);
  });
}

test(`the whole application takes at most ${WHOLE} KiB`, () => {
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  console.log(`all pages: ${Math.round(total / KB)} KiB in ${sizes.size} files`);
  expect(sizes.size, 'the build is split').toBeGreaterThan(1);
  expect(total / KB).toBeLessThanOrEqual(WHOLE * ALLOWANCE);
});
