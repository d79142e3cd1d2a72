import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/real/**/*.test.ts'], globalSetup: 'test/real/setup.ts', environment: 'node', testTimeout: 300_000, hookTimeout: 60_000, maxWorkers: 2 },
});
