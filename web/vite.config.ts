import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { mockApi } from './dev/plugin.ts';

/** A running `tachograph serve`; `vite --mode mock` answers /api itself instead. */
const api = process.env['TACHOGRAPH_URL'] ?? 'http://127.0.0.1:4319';

export default defineConfig(({ mode }) => ({
  plugins: [svelte(), ...(mode === 'mock' ? [mockApi()] : [])],
  build: {
    outDir: '../crates/server/ui',
    emptyOutDir: true,
    // The page's policy is `script-src 'self'`: no inline module preload, no data: URLs.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  // Stricter than what the server sends: the tests over made-up traffic prove that nothing inline is needed.
  preview: { headers: { 'content-security-policy': "default-src 'self'; object-src 'none'; base-uri 'none'" } },
  server: mode === 'mock' ? {} : { proxy: { '/api': api } },
  test: { include: ['src/**/*.test.ts', 'dev/**/*.test.ts'], environment: 'node' },
}));
