// Files that the page itself reads: the message that a draft is tried on.
import { only } from './demo';
import { expect, hydrated, test } from './fixtures';

const order = {
  name: 'order.eml',
  mimeType: 'message/rfc822',
  buffer: Buffer.from('From: a@b.example\r\nSubject: Where is my order 1042?\r\n\r\nPlease tell me.\r\n'),
};

test('a file can be chosen again, and one that cannot be read is told of', { tag: '@desktop' }, async ({ page, request }) => {
  const id = await only(request, 'intents', 'q=Order+enquiry', 'intent_id');
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  await page.getByTestId('try-message').selectOption('');
  const field = page.getByTestId('try-file');
  await field.setInputFiles(order);
  await expect(page.getByTestId('try-panel')).toContainText(order.name);
  await expect(field, 'a browser tells of the same file only where none is chosen').toHaveValue('');

  // As of a folder that was dropped.
  await page.evaluate(() => {
    FileReader.prototype.readAsDataURL = function () {
      queueMicrotask(() => this.dispatchEvent(new ProgressEvent('loadend')));
    };
  });
  await field.setInputFiles({ ...order, name: 'folder' });
  await expect(page.getByTestId('toast').last()).toContainText('folder cannot be read.');
  await expect(page.getByTestId('try-panel'), 'the one before stays').toContainText(order.name);
});
