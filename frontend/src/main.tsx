import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from '@/App';
import { keepAskingWhoIAm } from '@/data/session';
import { holdConnection } from '@/data/socket';
import './styles.css';

// As long as the page lives, and before anything is drawn: the streams are on their way meanwhile.
holdConnection();
keepAskingWhoIAm();
const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root to draw into');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
