import { defineConfig, type Plugin } from 'vite';
import { mockServer } from './test/mock/plugin';

// `npm run dev` shows the mock cluster; SAFEKIT_URL=http://10.0.0.107:9010 npm run dev shows a real one.
const real = process.env['SAFEKIT_URL'];

/** The program of the pages is asked for together with the small one that loads it, not after it. */
function preloadStart(): Plugin {
  return {
    name: 'preload-start',
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle }) {
        const chunks = Object.values(bundle ?? {}).flatMap((c) => (c.type === 'chunk' ? [c] : []));
        const first = chunks.filter((c) => c.name === 'start');
        const files = new Set(first.flatMap((c) => [c.fileName, ...c.imports]));
        const entries = new Set(chunks.filter((c) => c.isEntry).map((c) => c.fileName));
        return [...files].filter((file) => !entries.has(file)).map((file) => ({
          tag: 'link',
          attrs: { rel: 'modulepreload', crossorigin: true, href: `/console/${file}` },
          injectTo: 'head' as const,
        }));
      },
    },
  };
}

export default defineConfig({
  base: '/console/',
  // The JSX of TypeScript is compiled by vite itself; no plugin is needed for Preact.
  plugins: [preloadStart(), ...(real ? [] : [mockServer()])],
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
