import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';
import { expectAccessible, expectDrawn, fittingRange, RANGE, screenshot, THEMES, watch } from './screen.ts';

/** Everything the page loads, compressed. */
const BUNDLE_MAX_BYTES = 120 * 1024;

for (const theme of THEMES) {
  test(`the Overview shows every panel with data, in ${theme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme });
    const { faults } = watch(page);
    await page.goto(`/?${await fittingRange(page)}`);
    const panels = page.locator('[data-panel]');
    await expect(panels).toHaveCount(14);
    for (const panel of await panels.all()) {
      const name = await panel.getAttribute('data-panel');
      await expect(panel, `panel ${name}`).toHaveAttribute('data-state', 'data');
    }
    for (const canvas of await page.locator('[data-panel] canvas').all()) await expectDrawn(canvas);
    for (const stat of ['rps', 'in', 'out', 'ttft', 'tpot', 'e2e', 'running', 'kv']) {
      await expect(page.locator(`[data-stat=${stat}] dd`)).toHaveText(/\d/);
    }
    await expectAccessible(page);
    await screenshot(page, `overview-${theme}`);
    expect(faults).toEqual([]);
  });
}

test('a panel shows its numbers as a table, keeps that over a reload, and goes to the requests behind it', async ({
  page,
}) => {
  await page.goto(`/?${RANGE}`);
  const panel = page.locator('[data-panel=ttft]');
  await panel.getByRole('button', { name: 'Show data' }).click();
  const cell = panel.locator('td', { hasText: /\d+(\.\d+)? (ms|s)/ }).first();
  await expect(cell).toBeVisible();
  await page.reload();
  await expect(cell).toBeVisible();
  await expectAccessible(page);
  await panel.getByRole('link', { name: /Requests behind/ }).click();
  await expect(page).toHaveURL(/\/requests\?.*y=ttft/);
  await expect(page.getByRole('grid')).toBeVisible();
});

test('the pointer is in all charts at once, dragging zooms the time range, and Back undoes it', async ({ page }) => {
  await page.goto(`/?${RANGE}&refresh=off`);
  const plot = page.locator('[data-panel=rate] .u-over');
  await expectDrawn(page.locator('[data-panel=rate] canvas'));
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  if (!box) throw new Error('no plot');
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.25, y);
  await page.mouse.move(box.x + box.width * 0.3, y);
  for (const panel of ['rate', 'finish']) {
    await expect(page.locator(`[data-panel=${panel}] .legend .at`), 'one crosshair for all').toHaveText(/\d\d:\d\d/);
  }
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, y, { steps: 4 });
  await page.mouse.move(box.x + box.width * 0.8, y, { steps: 4 });
  await page.mouse.up();
  await expect(page).toHaveURL(/from=\d{4}-.*to=\d{4}-/);
  await page.goBack();
  await expect(page).toHaveURL(new RegExp(RANGE));
});

test('a model in the table becomes a filter of all panels', async ({ page }) => {
  await page.goto(`/?${RANGE}`);
  const model = page.locator('[data-panel=models] tbody button').first();
  const name = (await model.textContent())?.trim() ?? '';
  const filtered = page.waitForRequest((request) => request.url().includes(`model=${encodeURIComponent(name)}`));
  await model.click();
  await filtered;
  await expect(page.getByRole('list', { name: 'Filters' })).toContainText(name);
});

test('the page loads at most 120 KiB', async ({ page }) => {
  const html = await (await page.request.get('/')).text();
  const paths = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((match) => match[1] ?? '/');
  expect(paths.length).toBeGreaterThan(1);
  let size = gzipSync(html).length;
  for (const path of paths) size += gzipSync(await (await page.request.get(path)).body()).length;
  console.log(`page: ${(size / 1024).toFixed(1)} KiB gzip`);
  expect(size).toBeLessThan(BUNDLE_MAX_BYTES);
  await page.goto('/');
  await expect(page.getByRole('heading', { name: 'Models' })).toBeInViewport();
  await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
  const painted = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0);
  console.log(`first paint: ${painted.toFixed(0)} ms`);
  expect(html, 'no script or style stands in the page itself').not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=/);
});
