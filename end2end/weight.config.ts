// What an operator's phone must fetch and compute, measured on the optimised build (`./dev test weight`).
import { join } from 'node:path';

import { root } from './flowengine';
import base from './playwright.config';

process.env.E2E_SITE ??= join(root, 'target/site-weight');

export default {
  ...base,
  testDir: 'weight',
  outputDir: 'test-results/weight',
  reporter: [['list'], ['junit', { outputFile: 'test-results/weight.xml' }]],
  projects: [{ name: 'weight', use: { viewport: { width: 1280, height: 800 } } }],
} satisfies typeof base;
