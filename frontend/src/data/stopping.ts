/** Which stream an operator has been asked about: whatever becomes of its card, the question stays. */
import { create } from 'zustand';
import type { Stream } from './store';

/** The stream as it was shown; none while nothing is asked. */
export const useStopping = create<{ asked?: Stream }>(() => ({}));

export const askToStop = (asked: Stream) => useStopping.setState({ asked });
export const askNoMore = () => useStopping.setState({ asked: undefined });
