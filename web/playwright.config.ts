import { defineConfig } from '@playwright/test';

/** A running `tachograph serve` with requests in it; without one, Vite serves the built pages over made-up traffic. */
const server = process.env['TACHOGRAPH_URL'];
const mock = 'http://127.0.0.1:4398';

export default defineConfig({
  testDir: 'e2e',
  // The screenshots show one machine's work, not a race of several browsers.
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  reporter: 'list',
  use: {
    baseURL: server ?? mock,
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  ...(server === undefined
    ? { webServer: { command: 'npm run mock', url: mock, reuseExistingServer: false, timeout: 120_000 } }
    : {}),
});
