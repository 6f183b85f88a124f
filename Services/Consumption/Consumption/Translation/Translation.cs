using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Pricing;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// START HERE. A caller speaks one dialect, the provider another; Chat is the one that all are translated to or from.
/// <code>
///             request ───────────────────────────►        ◄─────────── answer, or events one by one
///  caller                                          provider
///  Chat       ChatRequestToMessages               Messages  MessagesAnswerToChat, MessagesStreamToChat
///  Chat       ChatRequestToGemini                 Gemini    GeminiAnswerToChat, GeminiStreamToChat
///  Chat       ChatRequestToConverse               Converse  ConverseAnswerToChat, ConverseStreamToChat
///  Messages   MessagesRequestToChat               Chat      ChatAnswerToMessages, ChatStreamToMessages
///  Responses  ResponsesRequestToChat              Chat      ChatAnswerToResponses, ChatStreamToResponses
/// </code>
/// Every other pair is two of these, one after the other, with Chat between them (<see cref="Composition"/>): Messages at Gemini and at Converse; Responses at Messages, at Gemini and at Converse.
/// Requests: every member is either translated or a gap. A gap refuses the call with the member's name, unless the caller opted to have gaps dropped; then all of them
/// are listed. Members of null say nothing and are left out. Answers: what a provider says beyond its protocol is left out, what the protocol requires and is not there is
/// a <see cref="JsonException"/>, the only exception that these classes throw. Texts are copied as they are escaped, never decoded, so that a character that a
/// provider cuts in two between events comes through whole.
/// </summary>
internal static class Translators
{
    public static TranslatedRequest Request(Dialect caller, Dialect provider, ReadOnlyMemory<byte> body, TranslationOptions options) => (caller, provider) switch
    {
        (Dialect.Chat, Dialect.Gemini) => ChatRequestToGemini.Translate(body, options),
        (Dialect.Chat, Dialect.Converse) => ChatRequestToConverse.Translate(body, options),
        (Dialect.Chat, _) => ChatRequestToMessages.Translate(body, options),
        (Dialect.Messages, Dialect.Chat) => MessagesRequestToChat.Translate(body, options),
        (Dialect.Responses, Dialect.Chat) => ResponsesRequestToChat.Translate(body, options),
        _ => Composition.Request(caller, provider, body, options),
    };

    /// <summary>Translates a whole answer into the caller's dialect.</summary>
    /// <exception cref="JsonException">The answer is not what its protocol says.</exception>
    public static void Answer(Dialect caller, Dialect provider, ReadOnlyMemory<byte> answer, AnswerHead head, IBufferWriter<byte> output)
    {
        switch (caller, provider)
        {
            case (Dialect.Chat, Dialect.Gemini):
                GeminiAnswerToChat.Translate(answer, head, output);
                break;
            case (Dialect.Chat, Dialect.Converse):
                ConverseAnswerToChat.Translate(answer, head, output);
                break;
            case (Dialect.Chat, _):
                MessagesAnswerToChat.Translate(answer, head, output);
                break;
            case (Dialect.Messages, Dialect.Chat):
                ChatAnswerToMessages.Translate(answer, head, output);
                break;
            case (Dialect.Responses, Dialect.Chat):
                ChatAnswerToResponses.Translate(answer, head, output);
                break;
            default:
                Composition.Answer(caller, provider, answer, head, output);
                break;
        }
    }

    public static StreamTranslator Stream(Dialect caller, Dialect provider, AnswerHead head) => (caller, provider) switch
    {
        (Dialect.Chat, Dialect.Gemini) => new GeminiStreamToChat(head),
        (Dialect.Chat, Dialect.Converse) => new ConverseStreamToChat(head),
        (Dialect.Chat, _) => new MessagesStreamToChat(head),
        (Dialect.Messages, Dialect.Chat) => new ChatStreamToMessages(head),
        (Dialect.Responses, Dialect.Chat) => new ChatStreamToResponses(head),
        _ => new ComposedStream(caller, provider, head),
    };
}

/// <summary>How to translate a request.</summary>
/// <param name="Model">The provider's model id; null leaves the caller's.</param>
/// <param name="MaxTokens">The most tokens to produce when the caller does not say; Messages requires it.</param>
/// <param name="Lenient">Drop what cannot be translated, and list it, instead of refusing.</param>
/// <param name="MaxTokensField">Chat's member for the maximum: older servers know <c>max_tokens</c> only, OpenAI's reasoning models <c>max_completion_tokens</c> only.</param>
internal sealed record TranslationOptions(string? Model = null, long? MaxTokens = null, bool Lenient = false, string MaxTokensField = "max_completion_tokens")
{
    /// <summary>Not null: the first step of a composition.</summary>
    public Middle? Middle { get; init; }

    /// <summary>The second step of a composition: messages of the assistant that follow each other are one turn, which was divided for its order.</summary>
    public bool ReadsMiddle { get; init; }
}

/// <summary>A translated request, or the reason that there is none.</summary>
/// <param name="Body">The provider's body; empty when refused.</param>
/// <param name="Dropped">Paths of what was left out at the caller's wish, as <c>messages[2].name</c>.</param>
/// <param name="Refusal">Why there is no body.</param>
/// <param name="Echo">Responses: an object of the members that its answer repeats; for <see cref="AnswerHead.Echo"/>.</param>
internal sealed record TranslatedRequest(ReadOnlyMemory<byte> Body, IReadOnlyList<string> Dropped, Untranslatable? Refusal, ReadOnlyMemory<byte> Echo = default);

/// <summary>A member that cannot be translated.</summary>
/// <param name="Param">Its path.</param>
/// <param name="Reason">A sentence for people.</param>
/// <param name="IsMalformed">Whether it is wrong in its own protocol: never dropped.</param>
internal sealed record Untranslatable(string Param, string Reason, bool IsMalformed = false);

/// <summary>What an answer says besides the provider's words.</summary>
/// <param name="Call">Makes the answer's ids.</param>
/// <param name="Model">As the caller named it.</param>
/// <param name="CreatedAt">When the call came.</param>
internal sealed record AnswerHead(Guid Call, string Model, DateTimeOffset CreatedAt)
{
    /// <summary>Whether the caller of a Chat stream asked for its usage chunk.</summary>
    public bool WantsUsage { get; init; }

    /// <summary>Responses: see <see cref="TranslatedRequest.Echo"/>.</summary>
    public ReadOnlyMemory<byte> Echo { get; init; }

    /// <summary>Whether it takes two steps: then what Chat has no members for is in what is between them.</summary>
    public bool IsComposed { get; init; }

    /// <summary>In the second of two steps of a whole answer, what the provider used: Chat's figures do not say all of it.</summary>
    public TokenUsage? Usage { get; init; }

    public string Id(string prefix) => $"{prefix}{Call:N}";
}
