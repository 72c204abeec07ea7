import { expect, test, type Page } from '@playwright/test';
import type { RequestPage } from '../src/api/types.ts';
import {
  answered,
  expectAccessible,
  expectDrawn,
  fittingRange,
  RANGE,
  requests,
  screenshot,
  THEMES,
  watch,
} from './screen.ts';

const ROWS = 10_000;

const rows = (page: Page) => page.locator('[role=grid] [role=rowgroup]:last-child [role=row]');

for (const theme of THEMES) {
  test(`Requests shows scatter, facets and list, and a request beside them, in ${theme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme });
    const { faults } = watch(page);
    await page.goto(`/requests?${await fittingRange(page)}`);
    await expect(page.locator('[data-panel=scatter]')).toHaveAttribute('data-state', 'data');
    await expectDrawn(page.locator('[data-panel=scatter] canvas'));
    await expect(rows(page).first()).toContainText(/\d (ms|s)/);
    await expect(page.getByRole('region', { name: 'Facets' }).getByRole('checkbox').first()).toBeVisible();
    await expectAccessible(page);
    await screenshot(page, `requests-${theme}`);

    await rows(page).nth(1).click();
    const peek = page.getByRole('complementary', { name: 'Selected request' });
    await expect(peek).toHaveAttribute('data-state', 'data');
    await expectDrawn(peek.locator('canvas'));
    await expectAccessible(page);
    await screenshot(page, `requests-peek-${theme}`);

    await page.keyboard.press('Escape');
    await expect(peek).toBeHidden();
    await page.getByRole('button', { name: 'Slowest 5 %' }).click();
    await expect(page.getByRole('region', { name: 'What is different' })).toBeVisible();
    await expectAccessible(page);
    await screenshot(page, `requests-box-${theme}`);
    expect(faults).toEqual([]);
  });
}

test('the keyboard alone leads from the Overview to a request and back', async ({ page }) => {
  await page.goto(`/?${RANGE}&refresh=off`);
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeAttached();
  await page.keyboard.press('g');
  await page.keyboard.press('r');
  await expect(rows(page).first()).toBeVisible();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  const selected = page.locator('[role=row][aria-selected=true]');
  await expect(rows(page).nth(1)).toHaveAttribute('aria-selected', 'true');
  const id = await selected.getAttribute('id');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Waterfall' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(selected).toHaveAttribute('id', id ?? '');
  await expect(selected).toBeInViewport();
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toBeVisible();
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
  await page.keyboard.press('t');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/from=now-5m/);
});

test('filters from the box and the facets end in the URL and survive a reload', async ({ page }) => {
  const { operation } = await answered(page);
  await page.goto(`/requests?${RANGE}&refresh=off`);
  await expect(rows(page).first()).toBeVisible();
  await page.keyboard.press('/');
  await page.keyboard.type(`operation:${operation} e2e>1us`);
  await page.keyboard.press('Enter');
  await page.getByRole('region', { name: 'Facets' }).getByRole('checkbox', { name: /^ok/ }).check();
  await expect(page).toHaveURL(new RegExp(`operation=${operation}.*status=ok`));
  await page.reload();
  const chips = page.getByRole('list', { name: 'Filters' });
  await expect(chips).toContainText(operation);
  await expect(chips).toContainText('E2E ≥');
  await expect(rows(page).first()).toContainText('ok');
  await chips.getByRole('button', { name: 'Clear' }).click();
  await expect(chips).toBeHidden();
});

test('a box drawn with the pointer narrows the list to what lies in it', async ({ page }) => {
  await page.goto(`/requests?${RANGE}&refresh=off`);
  const canvas = page.locator('[data-panel=scatter] canvas');
  await expectDrawn(canvas);
  const total = Number(await page.getByRole('grid').getAttribute('aria-rowcount'));
  const box = await canvas.boundingBox();
  if (!box) throw new Error('no scatter');
  // Everything but the fastest: the lowest fifth stays outside.
  await page.mouse.move(box.x + 56, box.y + 10);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 20, box.y + box.height * 0.6, { steps: 6 });
  await page.mouse.up();
  await expect(page).toHaveURL(/box=/);
  await expect(page.locator('.total')).toContainText('in the box of');
  expect(Number(await page.getByRole('grid').getAttribute('aria-rowcount'))).toBeLessThanOrEqual(total);
  await page.keyboard.press('Escape');
  await expect(page).not.toHaveURL(/box=/);
});

test('ten thousand rows scroll, sort and filter', async ({ page }) => {
  const known = await requests(page);
  await page.route('**/api/requests?*', async (route) => {
    const now = Date.now();
    const many = Array.from({ length: ROWS }, (_, index) => {
      const row = known[index % known.length];
      return { ...row, trace_id: index.toString(16).padStart(32, '0'), start_ms: now - index * 10 };
    });
    await route.fulfill({ json: { rows: many, total: ROWS, next_offset: null } as RequestPage });
  });
  await page.goto(`/requests?${RANGE}&refresh=off`);
  const grid = page.getByRole('grid');
  await expect(grid).toHaveAttribute('aria-rowcount', String(ROWS + 1));
  expect(await rows(page).count(), 'only what is seen is in the page').toBeLessThan(100);
  for (const share of [0.25, 0.5, 1]) {
    await grid.evaluate((node, part) => (node.scrollTop = node.scrollHeight * part), share);
    const inside = () =>
      grid.evaluate((node) => {
        const { top, bottom } = node.getBoundingClientRect();
        const found = document.elementFromPoint(node.getBoundingClientRect().left + 60, (top + bottom) / 2);
        return found?.closest('[role=row]')?.getAttribute('aria-rowindex') ?? null;
      });
    await expect.poll(inside, 'a row stands where one looks').not.toBeNull();
  }
  await grid.getByRole('button', { name: 'E2E' }).click();
  await expect(grid.getByRole('columnheader', { name: 'E2E' })).toHaveAttribute('aria-sort', 'descending');

  // From the click to the shorter list on the screen, measured in the page.
  const took = await page.evaluate(async () => {
    const box = document.querySelector<HTMLInputElement>('.facets input[type=checkbox]:not(:checked)');
    const start = performance.now();
    box?.click();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - start;
  });
  console.log(`filter of ${ROWS} rows: ${took.toFixed(0)} ms`);
  expect(took).toBeLessThan(2000);
});

test('a list that is being read holds still while it refreshes', async ({ page }) => {
  const known = await requests(page);
  let newer = 0;
  await page.route('**/api/requests?*', async (route) => {
    const many = Array.from({ length: 500 + newer }, (_, index) => {
      const age = index - newer;
      const row = known[Math.abs(age) % known.length];
      return { ...row, trace_id: (age + 1000).toString(16).padStart(32, '0'), start_ms: Date.now() - age * 500 };
    });
    newer += 5;
    await route.fulfill({ json: { rows: many, total: many.length, next_offset: null } as RequestPage });
  });
  await page.goto(`/requests?from=now-24h&refresh=2`);
  const grid = page.getByRole('grid');
  await expect(rows(page).first()).toBeVisible();
  await page.keyboard.press('j');
  const selected = page.locator('[role=row][aria-selected=true]');
  const before = await selected.boundingBox();
  const count = await grid.getAttribute('aria-rowcount');
  await expect.poll(() => grid.getAttribute('aria-rowcount'), 'new rows came').not.toBe(count);
  expect(await selected.boundingBox()).toEqual(before);
  await expect(page.getByRole('button', { name: /newer/ })).toBeVisible();
});
