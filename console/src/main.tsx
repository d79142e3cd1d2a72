// Small, so that it runs at once: the first requests leave while the program of the pages arrives.
import { askEarly } from './api/early';
import './styles/index.css';

askEarly();
void import('./start').then(({ start }) => start(document.getElementById('app')!));
