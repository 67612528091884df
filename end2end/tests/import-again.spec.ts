// The window of an import that was closed is opened again.
import { TENANT } from './arrivals';
import { expect, hydrated, test } from './fixtures';

test('it shows what came of the files before, and takes others', { tag: '@desktop' }, async ({ page }) => {
  const mark = `i${Math.random().toString(36).slice(2, 10)}`;
  await page.goto(`/t/${TENANT}/messages?q=${mark}`);
  await hydrated(page);
  const dialog = page.getByRole('dialog', { name: 'Import messages' });
  const send = async (name: string) => {
    const text = `From: ann@customer.example\nTo: service@globex.example\nSubject: ${mark} ${name}\n\nHello.\n`;
    await dialog.getByLabel('Files').setInputFiles({ name, mimeType: 'message/rfc822', buffer: Buffer.from(text) });
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(dialog.getByTestId('upload-outcome')).toHaveText(`${name}: 1 message is stored.`);
  };
  await page.getByTestId('import').click();
  await send('one.eml');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();

  await page.getByTestId('import').click();
  await expect(dialog.getByTestId('upload-outcome')).toHaveText('one.eml: 1 message is stored.');
  await send('two.eml');
});
