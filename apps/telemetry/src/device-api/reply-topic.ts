/** The topic that a request is answered on, in the family (v1, v2, v2 with `/j`) that it was asked in. */
export const replyTopicOf = (topic: string): string =>
  topic.replace(/\/(request|req)\//, (_, word: string) => (word === 'req' ? '/res/' : '/response/'));
