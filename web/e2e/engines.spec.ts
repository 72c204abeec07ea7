import { expect, test } from '@playwright/test';
import type { Engines } from '../src/api/types.ts';
import { expectAccessible, expectDrawn, fittingRange, RANGE, screenshot, THEMES, watch } from './screen.ts';

for (const theme of THEMES) {
  test(`Engines lists every engine and charts its metrics, in ${theme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme });
    const { faults } = watch(page);
    await page.goto(`/engines?${await fittingRange(page)}`);
    const table = page.locator('[data-panel=engines]');
    await expect(table).toHaveAttribute('data-state', 'data');
    const panels = page.locator('.grid [data-panel]');
    expect(await panels.count()).toBeGreaterThanOrEqual(15);
    for (const panel of await panels.all()) await expect(panel).toHaveAttribute('data-state', /data|empty/);
    await expectDrawn(page.locator('.grid [data-state=data] canvas').first());
    await expectAccessible(page);
    await screenshot(page, `engines-${theme}`);
    expect(faults).toEqual([]);
  });
}

test('a panel says the exact name, type, unit and formula of its metric', async ({ page }) => {
  await page.goto(`/engines?${RANGE}`);
  const panel = page.locator('.grid [data-panel]').first();
  const name = (await panel.getAttribute('data-panel')) ?? '';
  await panel.getByRole('heading').hover();
  await expect(panel.locator('.about')).toBeVisible();
  await expect(panel.locator('.about')).toContainText(`${name} (`);
  await expect(panel.locator('.about')).toContainText('Shown:');
});

test('a row becomes the filter in the URL, survives a reload, and a second click takes it off', async ({ page }) => {
  await page.goto(`/engines?${RANGE}`);
  const button = page.locator('[data-panel=engines] tbody button').first();
  const asked = page.waitForRequest((request) => /\/api\/series\?.*instance=/.test(request.url()));
  await button.click();
  await asked;
  await expect(page).toHaveURL(/instance=/);
  await page.reload();
  await expect(button).toHaveAttribute('aria-pressed', 'true');
  await button.click();
  await expect(page).not.toHaveURL(/instance=/);
});

test('an entry of a legend becomes the filter', async ({ page }) => {
  await page.goto(`/engines?${RANGE}&split=model`);
  const entry = page.locator('.grid .legend button').first();
  const model = (await entry.textContent())?.trim() ?? '';
  await entry.click();
  await expect(page).toHaveURL(/model=/);
  await expect(page.getByRole('list', { name: 'Filters' })).toContainText(model);
});

test('the keyboard goes there', async ({ page }) => {
  await page.goto('/');
  await page.keyboard.press('g');
  await page.keyboard.press('e');
  await expect(page).toHaveURL(/\/engines/);
  await page.keyboard.press('g');
  await page.keyboard.press('s');
  await expect(page).toHaveURL(/\/setup/);
});

test('each engine line that reported can be chosen', async ({ page }) => {
  const response = await page.request.get(`/api/engines?${RANGE}`);
  const { engines } = (await response.json()) as Engines;
  for (const line of new Set(engines.map((engine) => engine.line))) {
    await page.goto(`/engines?${RANGE}&line=${line}`);
    const own = { vllm_v1: 'gen_ai_vllm_num_requests_running', vllm_v0: 'num_running_sys' };
    const id = line === 'sglang' ? 'sglang_num_running_reqs' : own[line];
    await expect(page.locator(`[data-panel=${id}]`)).toHaveAttribute('data-state', 'data');
  }
});

test('a range in which no engine reported says so', async ({ page }) => {
  await page.goto('/engines?from=2001-01-01T00:00:00Z&to=2001-01-01T00:05:00Z');
  await expect(page.getByRole('heading', { name: 'No engine reported here' })).toBeVisible();
  await expectAccessible(page);
});

test('a server that does not answer is said', async ({ page }) => {
  await page.route('**/api/engines*', (route) => route.abort());
  await page.goto(`/engines?${RANGE}`);
  await expect(page.getByRole('alert')).toContainText('the server does not answer');
});
