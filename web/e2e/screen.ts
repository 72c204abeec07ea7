// What the tests of all screens share: opening them, reading them with axe, and looking whether anything is drawn.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { expect, type Locator, type Page } from '@playwright/test';
import type { RequestPage, RequestRow } from '../src/api/types.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Where the screenshots go, at the repository's root. */
const ARTIFACTS = fileURLToPath(new URL('../../artifacts/ui/', import.meta.url));

/** Wide enough to hold what the load before the tests left behind. */
export const RANGE = 'from=now-6h';

/** The smallest of the usual ranges that holds all of it (and all that comes during a test): for a good picture. */
export async function fittingRange(page: Page): Promise<string> {
  const response = await page.request.get(`/api/requests?${RANGE}&to=now&sort=start&limit=1`);
  const { rows } = (await response.json()) as RequestPage;
  const minutes = (Date.now() - (rows[0]?.start_ms ?? 0)) / 60_000;
  const fitting = [5, 15, 30, 60, 180].find((each) => each > minutes + 1) ?? 360;
  return fitting < 60 ? `from=now-${fitting}m` : `from=now-${fitting / 60}h`;
}

export const THEMES = ['light', 'dark'] as const;

/** Makes the test fail for what a user would find in the browser's console, and for any request to another host. */
export function watch(page: Page): { faults: string[] } {
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => {
    const { host, protocol } = new URL(request.url());
    if (protocol.startsWith('http') && host !== new URL(page.url()).host && page.url() !== 'about:blank') {
      faults.push(`a request to another host: ${request.url()}`);
    }
  });
  return { faults };
}

/** Runs axe in the page; past the page's own policy, as no script is inserted. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import('axe-core') };
    const { violations } = await axe.run();
    return violations.map(({ id, help, nodes }) => ({
      id,
      help,
      nodes: nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.failureSummary ?? ''}`),
    }));
  });
  expect(found).toEqual([]);
}

/** Whether anything stands on a canvas: an empty one is transparent. */
export async function expectDrawn(canvas: Locator): Promise<void> {
  await expect(canvas).toBeVisible();
  await expect
    .poll(() =>
      canvas.evaluate((node: HTMLCanvasElement) => {
        const pixels = node.getContext('2d')?.getImageData(0, 0, node.width, node.height).data ?? [];
        let drawn = 0;
        for (let index = 3; index < pixels.length; index += 4) if (pixels[index]) drawn += 1;
        return drawn;
      }),
    )
    .toBeGreaterThan(200);
}

export async function screenshot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${ARTIFACTS}${name}.png` });
}

/** Some requests that the server has, newest first. */
export async function requests(page: Page, query = ''): Promise<RequestRow[]> {
  const response = await page.request.get(`/api/requests?${RANGE}&limit=200${query}`);
  expect(response.ok()).toBe(true);
  const { rows } = (await response.json()) as RequestPage;
  expect(rows.length, 'the server has requests to show').toBeGreaterThan(0);
  return rows;
}

/** One that was answered and has its figures. */
export async function answered(page: Page): Promise<RequestRow> {
  const rows = await requests(page, '&status=ok&operation=chat');
  const row = rows.find((each) => (each.output_tokens ?? 0) > 4) ?? rows[0];
  if (!row) throw new Error('no answered request');
  return row;
}
