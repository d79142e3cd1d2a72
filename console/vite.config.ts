import { defineConfig } from 'vite';
import { mockServer } from './test/mock/plugin';

// `npm run dev` shows the mock cluster; SAFEKIT_URL=http://10.0.0.107:9010 npm run dev shows a real one.
const real = process.env['SAFEKIT_URL'];

export default defineConfig({
  base: '/console/',
  // The JSX of TypeScript is compiled by vite itself; no plugin is needed for Preact.
  plugins: real ? [] : [mockServer()],
  server: {
    port: 9011,
    // The web service compares the origin of a page with the host that it asks: the host stays.
    proxy: real ? Object.fromEntries(['/api', '/openid', '/swagger-ui'].map((path) => [path, { target: real, changeOrigin: false }])) : undefined,
  },
  build: {
    target: 'es2022',
    // Content Security Policy `default-src 'self'`: nothing inlined, no data: URL.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
});
