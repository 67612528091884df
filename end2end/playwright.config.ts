import { defineConfig } from '@playwright/test';
import { join } from 'node:path';

import { freePort } from './free-port';

// Every worker reads this file again, and must find the port that the server was given.
process.env.E2E_PORT ??= String(await freePort());

export default defineConfig({
  testDir: 'tests',
  globalSetup: './server.ts',
  // One server and one database for all: tests run one after the other.
  workers: 1,
  // A machine that others keep busy is no fault of the change; the report names what passed only then as flaky.
  retries: process.env.CI ? 1 : 0,
  forbidOnly: !!process.env.CI,
  timeout: 30_000,
  globalTimeout: 45 * 60_000,
  reporter: [['list'], ['junit', { outputFile: 'test-results/junit.xml' }]],
  use: {
    baseURL: `http://127.0.0.1:${process.env.E2E_PORT}`,
    storageState: join(import.meta.dirname, 'test-results/session.json'),
    // Not the server's: what differs between the two must not disturb hydration.
    timezoneId: 'America/St_Johns',
    screenshot: 'only-on-failure',
    // Recording what every step did to the page takes a tenth of the time: `--trace retain-on-failure` where one is sought.
    trace: 'off',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      // Playwright adds --headless and --no-sandbox by itself.
      args: [
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    // A test that is tagged with one of them makes no sense, or no difference, in the other.
    { name: 'desktop', grepInvert: /@phone/, use: { viewport: { width: 1280, height: 800 } } },
    {
      name: 'phone',
      grepInvert: /@desktop/,
      use: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
    },
  ],
});
