// What a stranger wrote as the subject is the tab's title, and nothing else.
import { TENANT, send } from './arrivals';
import { messageId } from './demo';
import { expect, hydrated, test } from './fixtures';

for (const javaScriptEnabled of [true, false]) {
  test.describe(`with${javaScriptEnabled ? '' : 'out'} WebAssembly`, { tag: '@desktop' }, () => {
    test.use({ javaScriptEnabled });

    test('a title shows the subject as it was written', async ({ page, request }) => {
      const wrote = '</title><b>&amp; more';
      const mark = await send(request, 1, (subject) => `From: ann@customer.example\r\nTo: service@globex.example\r\nSubject: ${subject} ${wrote}\r\n\r\nHello.\r\n`);
      await page.goto(`/t/${TENANT}/messages/${await messageId(request, mark, TENANT)}`);
      if (javaScriptEnabled) await hydrated(page);
      await expect.poll(() => page.title()).toBe(`${mark} 1 ${wrote} · ${TENANT} · FlowEngine`);
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${mark} 1 ${wrote}`);
    });
  });
}
