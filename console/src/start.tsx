import { render } from 'preact';
import { hearWindows } from './api/room';
import { App } from './App';
import { startRouter } from './router';
import './theme';

/** Shows the page of the address. */
export function start(place: HTMLElement): void {
  hearWindows();
  startRouter();
  render(<App />, place);
}
