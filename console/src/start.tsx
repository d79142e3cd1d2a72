import { render } from 'preact';
import { App } from './App';
import { startRouter } from './router';
import './theme';

/** Shows the page of the address. */
export function start(place: HTMLElement): void {
  startRouter();
  render(<App />, place);
}
