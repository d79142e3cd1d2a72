import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/bench/**/*.ts'], environment: 'node', testTimeout: 180_000, fileParallelism: false },
});
