import { expect, test } from '@playwright/test';
import type { Agents, Status } from '../src/api/types.ts';
import { expectAccessible, fittingRange, RANGE, screenshot, THEMES, watch } from './screen.ts';

for (const theme of THEMES) {
  test(`Setup shows each agent and how to attach the next engine, in ${theme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme });
    const { faults } = watch(page);
    await page.goto(`/setup?${await fittingRange(page)}`);
    const card = page.locator('[data-panel=agent]').first();
    await expect(card).toContainText(/heard \d+ [smhd] ago/);
    await expect(card).toContainText('Export');
    await expect(card).toContainText('Price of the recorder');
    await expect(page.getByText('tachograph-instrument vllm serve').first()).toBeVisible();
    await expectAccessible(page);
    await screenshot(page, `setup-${theme}`);
    expect(faults).toEqual([]);
  });
}

test('there is a card for each agent that the server knows', async ({ page }) => {
  const response = await page.request.get(`/api/agents?${RANGE}`);
  const { agents } = (await response.json()) as Agents;
  expect(agents.length).toBeGreaterThan(0);
  await page.goto(`/setup?${RANGE}&refresh=off`);
  await expect(page.locator('[data-panel=agent]')).toHaveCount(agents.length);
});

test('the lines to copy have the address that the server listens on', async ({ page }) => {
  const status = (await (await page.request.get('/api/status')).json()) as Status;
  await page.goto('/setup');
  await expect(page.getByText(status.otlp.grpc, { exact: true })).toBeVisible();
  await expect(page.getByText(`http://${status.otlp.http}/v1/traces`)).toBeVisible();
});

test('a hook that is not live says what is lost', async ({ page }) => {
  await page.route('**/api/agents*', async (route) => {
    const answer = (await (await route.fetch()).json()) as Agents;
    const probe = { name: 'a.b.Scheduler.step', state: 'removed', detail: 'steps', role: 'engine_core', pids: [7] };
    const agents = answer.agents.map((agent) => ({ ...agent, probes: [probe] }));
    await route.fulfill({ json: { agents } });
  });
  await page.goto(`/setup?${RANGE}&refresh=off`);
  const card = page.locator('[data-panel=agent]').first();
  await expect(card).toContainText('Scheduler.step');
  await expect(card).toContainText('not observed: steps');
  await expectAccessible(page);
});

test('a range without agents says so and still tells how to attach one', async ({ page }) => {
  await page.goto('/setup?from=2001-01-01T00:00:00Z&to=2001-01-01T00:05:00Z');
  await expect(page.getByText('No agent reported in')).toBeVisible();
  await expect(page.getByText('tachograph-instrument vllm serve').first()).toBeVisible();
  await expectAccessible(page);
});
