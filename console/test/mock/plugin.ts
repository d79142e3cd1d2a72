import type { Plugin } from 'vite';
import { MockApi } from './api';

/** Answers the API in the development server. */
export function mockServer(): Plugin {
  return {
    name: 'mock-api',
    configureServer(server) {
      const api = new MockApi();
      server.middlewares.use((req, res, next) => {
        api.handle(req, res).then((done) => done || next(), next);
      });
    },
  };
}
