import { render } from 'preact';
import { App } from './App';
import { startRouter } from './router';
import './styles/index.css';
import './theme';

startRouter();
render(<App />, document.getElementById('app')!);
