// Questions before something is done for good: they have the keyboard, and what lies beneath them is out of reach.
import { named } from './demo';
import { expect, hydrated, test } from './fixtures';

for (const isScripted of [true, false]) {
  test.describe(isScripted ? 'with WebAssembly' : 'without WebAssembly', () => {
    test.use({ javaScriptEnabled: isScripted });

    test('a question has the keyboard, and a touch beside it answers no', async ({ page, request, isMobile }) => {
      const id = await named(request, 'datasources', 'Shop database', 'datasource_id');
      await page.goto(`/t/acme_corp/datasources/${id}`);
      if (isScripted) await hydrated(page);
      const ask = page.getByTestId('delete');
      const question = page.getByRole('dialog');
      await ask.click();
      await expect(question.getByRole('button', { name: 'Cancel' })).toBeFocused();
      await page.keyboard.press('Escape');
      await expect(question).toBeHidden();
      await expect(ask).toBeFocused();

      await ask.click();
      await question.getByRole('paragraph').first().click();
      await expect(question, 'what it says is no way out').toBeVisible();
      const beneath = isMobile ? page.getByTestId('menu') : page.getByTestId('sidebar').getByRole('link', { name: 'Rules' });
      const { x, y, width, height } = (await beneath.boundingBox())!;
      const [left, top] = [x + width / 2, y + height / 2];
      if (isMobile) await page.touchscreen.tap(left, top);
      else await page.mouse.click(left, top);
      await expect(question).toBeHidden();
      await expect(ask).toBeFocused();
      if (isMobile) await expect(page.getByTestId('sidebar')).toBeHidden();
      await expect(page).toHaveURL(new RegExp(`/datasources/${id}$`));
    });
  });
}
