// The configuration goes out as a file and comes in again by the screen, with and without WebAssembly.
import { readFileSync } from 'node:fs';

import { expect, hydrated, test } from './fixtures';

for (const javaScriptEnabled of [true, false]) {
  test.describe(`with${javaScriptEnabled ? '' : 'out'} WebAssembly`, { tag: '@desktop' }, () => {
    // The last page says that a document was refused, and browsers note its status.
    test.use({ javaScriptEnabled, expectedFaults: /422/ });

    test('what is exported and imported again is the same, and a plan comes before a change', async ({ page }) => {
      await page.goto('/t/globex_inc');
      await page.getByTestId('sidebar').getByRole('link', { name: 'Settings' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Settings');
      if (javaScriptEnabled) await hydrated(page);

      const downloading = page.waitForEvent('download');
      await page.getByTestId('export-yaml').click();
      const exported = readFileSync(await (await downloading).path(), 'utf8');
      expect(exported).toContain('version: 1');

      const file = (text: string) => ({ name: 'globex.yaml', mimeType: 'application/yaml', buffer: Buffer.from(text) });
      await page.getByLabel('File (YAML or JSON)').setInputFiles(file(exported));
      await page.getByTestId('plan').click();
      await expect(page.getByTestId('plan-summary')).toContainText('There is nothing to do');

      await page.getByLabel('Or its text').fill('version: 1\nclassifier: {gate: 0.9}\n');
      await page.getByTestId('plan').click();
      await expect(page.getByTestId('plan-summary')).toContainText('1 to change');
      await expect(page.getByTestId('plan-change')).toContainText('0.95 → 0.9');
      if (javaScriptEnabled) await hydrated(page);
      await page.getByTestId('apply').click();
      await expect(page.getByTestId('plan-summary')).toContainText('Done: 1 to change.');

      await page.getByLabel('File (YAML or JSON)').setInputFiles(file(exported));
      await page.getByTestId('plan').click();
      await page.getByTestId('apply').click();
      await expect(page.getByTestId('plan-summary')).toContainText('Done: 1 to change');

      const [text, deletes] = [page.getByLabel('Or its text'), page.getByLabel('What the file does not have')];
      await expect(text, 'what was applied is done with').toHaveValue('');
      await text.fill('version: 1\nintent: []');
      await deletes.selectOption('true');
      await page.getByTestId('plan').click();
      await expect(page.getByTestId('import-refused')).toContainText('is not known here');
      if (javaScriptEnabled) await hydrated(page);
      await expect(text, 'it is there to be put right').toHaveValue('version: 1\nintent: []');
      await expect(deletes).toHaveValue('true');
    });
  });
}

test('what is applied twice is done, and said to be', { tag: '@desktop' }, async ({ page, context, request }) => {
  const tenant = 'applied_twice';
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: 'Applied twice' } })).status()).toBe(201);
  try {
    const other = await context.newPage();
    for (const tab of [page, other]) {
      await tab.goto(`/t/${tenant}/settings`);
      await hydrated(tab);
      await tab.getByLabel('Or its text').fill('version: 1\nclassifier: {gate: 0.9}\n');
      await tab.getByTestId('plan').click();
      await expect(tab.getByTestId('plan-summary')).toContainText('1 to change');
      await expect(tab.getByLabel('Or its text'), 'it may still be changed').toHaveValue(/gate: 0\.9/);
    }
    for (const [tab, words] of [[page, 'Done: 1 to change.'], [other, 'There is nothing to do']] as const) {
      await tab.getByTestId('apply').click();
      await expect(tab.getByTestId('plan-summary')).toContainText(words);
    }
    // Or they would ask for what is new in a tenant that is gone.
    await other.close();
    await page.goto('about:blank');
  } finally {
    await request.delete(`/api/tenants/${tenant}`);
  }
});
