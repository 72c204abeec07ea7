import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import type { RequestDetail } from '../src/api/types.ts';
import { answered, expectAccessible, expectDrawn, RANGE, screenshot, THEMES, watch } from './screen.ts';

for (const theme of THEMES) {
  test(`a Request shows its figures, waterfall, tokens, messages and attributes, in ${theme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme });
    const row = await answered(page);
    const { faults } = watch(page);
    await page.goto(`/requests/${row.trace_id}?span=${row.span_id}`);
    for (const name of ['waterfall', 'tokens']) {
      const panel = page.locator(`[data-panel=${name}]`);
      await expect(panel, `panel ${name}`).toHaveAttribute('data-state', 'data');
      for (const canvas of await panel.locator('canvas').all()) await expectDrawn(canvas);
    }
    await expect(page.getByRole('heading', { level: 1 })).toContainText(row.operation);
    await expect(page.getByRole('treeitem').first()).toBeVisible();
    await expect(page.locator('[data-panel=tokens]')).toContainText(/tokens recorded/);
    await expect(page.getByText('gen_ai.request.model')).toBeVisible();
    await expectAccessible(page);
    await screenshot(page, `request-${theme}`);
    expect(faults).toEqual([]);
  });
}

test('a span is found in the tree, shows its attributes, folds, and all of it is in the link', async ({ page }) => {
  const row = await answered(page);
  await page.goto(`/requests/${row.trace_id}?span=${row.span_id}`);
  const decode = page.getByRole('treeitem', { name: 'decode' }).first();
  await decode.click();
  await expect(page.getByRole('heading', { name: 'decode' })).toBeVisible();
  await page.keyboard.press('w');
  await expect(page).toHaveURL(/zoom=/);
  await page.reload();
  await expect(page.getByRole('heading', { name: 'decode' })).toBeVisible();
  const root = page.getByRole('treeitem').first();
  await root.focus();
  await page.keyboard.press('ArrowLeft');
  await expect(page.getByRole('treeitem')).toHaveCount(1);
  await expect(page).toHaveURL(/fold=/);
  await page.getByRole('button', { name: 'Show data of the waterfall' }).click();
  await expect(page.getByRole('region', { name: 'Spans', exact: true }).getByRole('row')).not.toHaveCount(1);
  await page.getByRole('button', { name: 'Show data of the tokens' }).click();
  await expect(page.getByRole('region', { name: 'Token times' }).getByRole('row')).not.toHaveCount(1);
  await expectAccessible(page);
});

test('attributes can be searched', async ({ page }) => {
  const row = await answered(page);
  await page.goto(`/requests/${row.trace_id}?span=${row.span_id}`);
  const search = page.getByRole('searchbox', { name: 'Search attributes' });
  await search.fill('request.model');
  await expect(page.getByText('gen_ai.request.model')).toBeVisible();
  await expect(page.getByText('gen_ai.operation.name')).toBeHidden();
  await search.fill('no such attribute');
  await expect(page.getByText('No attribute has')).toBeVisible();
});

test('a request is downloaded and copied as it is', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const row = await answered(page);
  await page.goto(`/requests/${row.trace_id}?span=${row.span_id}`);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'JSON' }).first().click(),
  ]);
  const saved = JSON.parse(readFileSync(await download.path(), 'utf8')) as RequestDetail;
  expect(saved.request.trace_id).toBe(row.trace_id);
  expect(saved.spans.length).toBeGreaterThan(1);
  await page.getByRole('button', { name: 'curl', exact: true }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toMatch(new RegExp(`^curl -s 'http.*/api/requests/${row.trace_id}`));
  await expect(page.getByRole('status')).toContainText('Copied');
});

test('a request can be reached from the list with its range and filters kept for the way back', async ({ page }) => {
  await page.goto(`/requests?${RANGE}&status=ok`);
  await page.locator('[role=grid] a').first().click();
  await expect(page.getByRole('heading', { name: 'Waterfall' })).toBeVisible();
  await page.getByRole('main').getByRole('link', { name: 'Requests' }).click();
  await expect(page).toHaveURL(new RegExp(`${RANGE}.*status=ok`));
});
