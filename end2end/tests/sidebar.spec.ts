import type { Page } from '@playwright/test';

import { axe } from './accessible';
import { expect, hydrated, test } from './fixtures';

const sidebar = (page: Page) => page.getByTestId('sidebar');
const menu = (page: Page) => page.getByTestId('menu');

test.beforeEach(async ({ page }) => {
  await page.goto('/t/acme_corp');
  await hydrated(page);
});

test.describe('on a phone', { tag: '@phone' }, () => {
  async function open(page: Page): Promise<void> {
    await expect(sidebar(page)).toBeHidden();
    await menu(page).tap();
    await expect(sidebar(page)).toBeInViewport({ ratio: 1 });
    await expect(menu(page)).toHaveAttribute('aria-expanded', 'true');
  }

  async function isClosed(page: Page): Promise<void> {
    await expect(sidebar(page)).toBeHidden();
    await expect(menu(page)).toHaveAttribute('aria-expanded', 'false');
  }

  test('the hamburger opens it, and Esc closes it and gives the focus back', async ({ page }) => {
    await open(page);
    await expect(page.getByRole('button', { name: 'Close the menu' })).toBeFocused();
    await page.screenshot({ path: 'test-results/screens/phone-sidebar.png' });
    expect((await axe(page).analyze()).violations).toEqual([]);
    await page.keyboard.press('Escape');
    await isClosed(page);
    await expect(menu(page)).toBeFocused();
  });

  test('a touch beside it closes it', async ({ page }) => {
    await open(page);
    await page.touchscreen.tap(370, 500);
    await isClosed(page);
    await expect(page, 'and does nothing else').toHaveURL(/\/t\/acme_corp$/);
  });

  test('its button closes it', async ({ page }) => {
    await open(page);
    await page.getByRole('button', { name: 'Close the menu' }).tap();
    await isClosed(page);
  });

  test('a link in it leads to its page and closes it', async ({ page }) => {
    await open(page);
    await sidebar(page).getByRole('link', { name: 'Rules' }).tap();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Validation rules');
    await isClosed(page);
  });

  test('everything in it is large enough for a finger', async ({ page }) => {
    await open(page);
    for (const target of await sidebar(page).locator('a, button').all()) {
      const box = await target.boundingBox();
      expect.soft(box!.height, await target.innerText()).toBeGreaterThanOrEqual(44);
      expect.soft(box!.width, await target.innerText()).toBeGreaterThanOrEqual(44);
    }
  });
});

test.describe('on a desktop', { tag: '@desktop' }, () => {
  test('it stands beside the page from 768 px on', async ({ page }) => {
    await expect(sidebar(page)).toBeVisible();
    expect((await sidebar(page).boundingBox())!.width).toBe(250);
    await expect(menu(page)).toBeHidden();
    await expect(sidebar(page).locator('[aria-current=page]')).toHaveText('Dashboard');

    await page.setViewportSize({ width: 767, height: 800 });
    await expect(sidebar(page)).toBeHidden();
    await expect(menu(page)).toBeVisible();
    await page.setViewportSize({ width: 768, height: 800 });
    await expect(sidebar(page)).toBeVisible();
    await expect(menu(page)).toBeHidden();
  });

  test('it marks the page, also below it, and leads to another tenant', async ({ page }) => {
    await sidebar(page).getByRole('link', { name: 'Messages' }).click();
    await page.getByTestId('message-row').first().getByRole('link').click();
    await expect(page.getByTestId('message')).toBeVisible();
    await expect(sidebar(page).locator('[aria-current=page]')).toHaveText('Messages');
    await page.getByRole('link', { name: 'Switch tenant' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Tenants');
    await expect(page.locator('#main'), 'the keyboard is at the new page').toBeFocused();
    await page.getByTestId('tenant-link').filter({ hasText: 'Globex' }).click();
    await expect(page.getByTestId('tenant-name')).toHaveText('Globex Inc.');
    await expect(page.locator('#main')).toBeFocused();
  });
});
