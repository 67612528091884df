// Lighthouse's mobile profile: a slow phone on a slow network, both simulated from what was measured here.
import { chromium } from '@playwright/test';
import lighthouse, { type Result } from 'lighthouse';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from '../free-port';
import { expect, test } from '../tests/fixtures';

const PAGES: Record<string, string> = {
  'sign-in': '/sign-in',
  dashboard: '/t/acme_corp',
  messages: '/t/acme_corp/messages',
};
/** The aim for performance is 95. What a shared machine measures is noise to a good part: this is the floor. */
const LEAST: Record<string, number> = { performance: 60, accessibility: 100, 'best-practices': 100, seo: 100 };
/** The best of so many runs tells what the page can do. `LIGHTHOUSE_RUNS=5 ./dev test weight` looks longer. */
const RUNS = Number(process.env.LIGHTHOUSE_RUNS ?? 2);

const score = (result: Result, category: string) => Math.round((result.categories[category]?.score ?? 0) * 100);

for (const [name, address] of Object.entries(PAGES)) {
  test(`${name} on a phone`, async ({ baseURL, launchOptions, storageState }) => {
    test.setTimeout(240_000);
    const port = await freePort();
    const profile = mkdtempSync(join(tmpdir(), 'flowengine-lighthouse-'));
    const context = await chromium.launchPersistentContext(profile, {
      ...launchOptions,
      args: [...(launchOptions.args ?? []), `--remote-debugging-port=${port}`],
    });
    try {
      if (name !== 'sign-in') {
        await context.addCookies(JSON.parse(readFileSync(storageState as string, 'utf8')).cookies);
      }
      let best: Result | undefined;
      for (let run = 0, again = 2; run < RUNS; run++) {
        const outcome = await lighthouse(new URL(address, baseURL).href, { port, logLevel: 'error', output: 'html' });
        const result = outcome!.lhr;
        // Now and then Chromium's trace begins too late, and Lighthouse asks to be run again.
        if (result.runtimeError?.code === 'NO_NAVSTART' && again-- > 0) {
          run--;
          continue;
        }
        expect(result.runtimeError, 'it could look at the page').toBeUndefined();
        expect(new URL(result.finalDisplayedUrl).pathname).toBe(address);
        if (!best || score(result, 'performance') > score(best, 'performance')) {
          best = result;
          writeFileSync(join('test-results', `lighthouse-${name}.html`), String(outcome!.report));
        }
        if (!process.env.LIGHTHOUSE_RUNS && score(best, 'performance') >= LEAST.performance) break;
      }
      const took = (audit: string) => `${Math.round(best!.audits[audit].numericValue!)} ms`;
      const marks = Object.keys(LEAST).map((category) => `${category} ${score(best!, category)}`);
      const times = `seen after ${took('largest-contentful-paint')}, interactive after ${took('interactive')}`;
      console.log(`${name}: ${marks.join(', ')}, ${times}, blocked for ${took('total-blocking-time')}`);
      for (const [category, least] of Object.entries(LEAST)) {
        const failed = Object.values(best!.categories[category].auditRefs)
          .map(({ id, weight }) => ({ audit: best!.audits[id], weight }))
          .filter(({ audit, weight }) => weight > 0 && audit.score !== null && audit.score < 1)
          .map(({ audit }) => `${audit.id}: ${audit.displayValue ?? audit.title}`);
        expect.soft(score(best!, category), `${category}: ${failed.join(' · ')}`).toBeGreaterThanOrEqual(least);
      }
    } finally {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    }
  });
}
