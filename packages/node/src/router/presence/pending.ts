/** Where a question goes out. */
interface Asked {
  send(record: string): unknown;
}

interface Question<L, A> {
  readonly link: L;
  readonly deadline: number;
  readonly done: (answer: A | undefined) => void;
}

/** Questions that have no answer yet. Each is done once: with the answer, or with none when its link ends or its time is up. */
export class Pending<L extends Asked, A> {
  private readonly questions = new Map<number, Question<L, A>>();
  private readonly nextCorrelation: () => number;

  constructor(nextCorrelation: () => number) {
    this.nextCorrelation = nextCorrelation;
  }

  ask(
    link: L,
    record: (correlation: number) => string,
    deadline: number,
    done: (answer: A | undefined) => void,
  ): void {
    const correlation = this.nextCorrelation();
    this.questions.set(correlation, { link, deadline, done });
    link.send(record(correlation));
  }

  answered(link: L, correlation: number, answer: A): void {
    const question = this.questions.get(correlation);
    if (question?.link !== link) return;
    this.questions.delete(correlation);
    question.done(answer);
  }

  onLinkDown(link: Asked): void {
    this.giveUp((question) => question.link === link);
  }

  expire(now: number): void {
    this.giveUp(({ deadline }) => deadline <= now);
  }

  private giveUp(which: (question: Question<L, A>) => boolean): void {
    for (const [correlation, question] of this.questions) {
      if (!which(question)) continue;
      this.questions.delete(correlation);
      question.done(undefined);
    }
  }
}
