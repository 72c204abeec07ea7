import { expect, test } from '@playwright/test';
import type { Status } from '../src/api/types.ts';
import { expectAccessible, RANGE, screenshot, THEMES } from './screen.ts';

test('a range without requests says so and offers a wider one', async ({ page }) => {
  await page.goto('/requests?from=2001-01-01T00:00:00Z&to=2001-01-01T00:05:00Z');
  await expect(page.getByRole('heading', { name: 'No request here' })).toBeVisible();
  await expectAccessible(page);
  await screenshot(page, 'empty-range');
  await page.getByRole('button', { name: /^Widen/ }).click();
  await expect(page).toHaveURL(/from=2000-12-31/);
});

test('filters that nothing matches can be cleared from where one is', async ({ page }) => {
  await page.goto(`/requests?${RANGE}&min_e2e=99999`);
  await page.getByRole('button', { name: 'Clear the filters' }).click();
  await expect(page.getByRole('grid')).toBeVisible();
});

test('panels of a range without data say so, and draw no zeros', async ({ page }) => {
  await page.goto('/?from=2001-01-01T00:00:00Z&to=2001-01-01T00:05:00Z');
  const panel = page.locator('[data-panel=ttft]');
  await expect(panel).toHaveAttribute('data-state', 'empty');
  await expect(panel).toContainText('Nothing was measured');
  await expectAccessible(page);
});

test('a bad filter shows what the server says and can be removed', async ({ page }) => {
  await page.goto(`/requests?${RANGE}&min_ttft=soon`);
  const alert = page.getByRole('alert');
  await expect(alert).toContainText('min_ttft');
  await expectAccessible(page);
  await screenshot(page, 'error-filter');
  await alert.getByRole('button', { name: /Remove the filter/ }).click();
  await expect(page.getByRole('grid')).toBeVisible();
  await expect(page).not.toHaveURL(/min_ttft/);
});

test('a request that is not there says so', async ({ page }) => {
  await page.goto('/requests/00000000000000000000000000000001');
  await expect(page.getByRole('alert')).toBeVisible();
  await expectAccessible(page);
});

test('a server that goes away leaves the rows in place and says so', async ({ page }) => {
  await page.goto(`/requests?${RANGE}&refresh=2`);
  await expect(page.getByRole('grid')).toBeVisible();
  await page.route('**/api/**', (route) => route.abort());
  await expect(page.getByRole('alert')).toContainText(/the server does not answer/i);
  await expect(page.getByRole('grid')).toBeVisible();
  await page.unroute('**/api/**');
  await expect(page.getByRole('alert')).toBeHidden();
});

for (const theme of THEMES) {
  test(`a server that has nothing yet says how to attach an engine, in ${theme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme });
    const { grpc } = ((await (await page.request.get('/api/status')).json()) as Status).otlp;
    await page.route('**/api/status', async (route) => {
      const status = (await (await route.fetch()).json()) as Status;
      await route.fulfill({ json: { ...status, stored: {}, last_received_ms: null } });
    });
    await page.goto('/');
    await expect(page.getByText('tachograph-instrument vllm serve').first()).toBeVisible();
    await expect(page.getByText(grpc).first()).toBeVisible();
    await expectAccessible(page);
    await screenshot(page, `empty-${theme}`);
  });
}

test('the theme follows the system until one chooses, and the choice stays', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto('/');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.keyboard.press('d');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
});

test('space pauses and goes on', async ({ page }) => {
  await page.goto('/');
  await page.keyboard.press('Space');
  await expect(page).toHaveURL(/refresh=off/);
  await page.keyboard.press('Space');
  await expect(page).not.toHaveURL(/refresh/);
});

test('an address that is no screen says so', async ({ page }) => {
  await page.goto('/no/such/screen');
  await expect(page.getByRole('heading', { name: 'There is no screen' })).toBeVisible();
  await page.getByRole('link', { name: 'Go to the Overview' }).click();
  await expect(page.locator('[data-panel=stats]')).toBeVisible();
});

test('nothing moves for those who want no motion', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.route('**/api/series*', () => new Promise(() => undefined));
  await page.goto('/');
  const skeleton = page.locator('.skeleton').first();
  await expect(skeleton).toBeVisible();
  expect(await skeleton.evaluate((node) => getComputedStyle(node).animationName)).toBe('none');
});
