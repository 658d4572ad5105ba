import { keepAskingWhoIAm } from '@/data/session';
import { holdConnection } from '@/data/socket';
import './styles.css';

// As long as the page lives, and before what draws it is even read: the streams are on their way meanwhile.
holdConnection();
keepAskingWhoIAm();
const { draw } = await import('@/draw');
draw();
