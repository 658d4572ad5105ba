import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from '@/App';

export function draw(): void {
  const root = document.getElementById('root');
  if (!root) throw new Error('index.html has no #root to draw into');
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
