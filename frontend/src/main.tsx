import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { pickLanguage } from '@/i18n';
import { Monitoring } from '@/pages/Monitoring';
import './styles.css';

document.documentElement.lang = pickLanguage(navigator.language);

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root to draw into');
createRoot(root).render(
  <StrictMode>
    <Monitoring />
  </StrictMode>,
);
