using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

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
/// Requests: every member is either translated or a gap. A gap refuses the call with the member's name, unless the caller opted to have gaps dropped; then all of them
/// are listed. Members of null say nothing and are left out. Answers: what a provider says beyond its protocol is left out, what the protocol requires and is not there is
/// a <see cref="JsonException"/>, the only exception that these classes throw. Texts are copied as they are escaped, never decoded, so that a character that a
/// provider cuts in two between events comes through whole.
/// </summary>
internal static class Translators
{
    /// <summary>Whether a call of one dialect can be served by a provider of the other, another one.</summary>
    public static bool Exists(Dialect caller, Dialect provider) => (caller, provider) is (Dialect.Chat, Dialect.Messages) or (Dialect.Chat, Dialect.Gemini) or (Dialect.Chat, Dialect.Converse) or (Dialect.Messages, Dialect.Chat) or (Dialect.Responses, Dialect.Chat);

    public static TranslatedRequest Request(Dialect caller, Dialect provider, ReadOnlyMemory<byte> body, TranslationOptions options) => caller switch
    {
        Dialect.Chat when provider == Dialect.Gemini => ChatRequestToGemini.Translate(body, options),
        Dialect.Chat when provider == Dialect.Converse => ChatRequestToConverse.Translate(body, options),
        Dialect.Chat => ChatRequestToMessages.Translate(body, options),
        Dialect.Messages => MessagesRequestToChat.Translate(body, options),
        _ => ResponsesRequestToChat.Translate(body, options),
    };

    /// <summary>Translates a whole answer into the caller's dialect.</summary>
    /// <exception cref="JsonException">The answer is not what its protocol says.</exception>
    public static void Answer(Dialect caller, Dialect provider, ReadOnlyMemory<byte> answer, AnswerHead head, IBufferWriter<byte> output)
    {
        switch (caller)
        {
            case Dialect.Chat when provider == Dialect.Gemini:
                GeminiAnswerToChat.Translate(answer, head, output);
                break;
            case Dialect.Chat when provider == Dialect.Converse:
                ConverseAnswerToChat.Translate(answer, head, output);
                break;
            case Dialect.Chat:
                MessagesAnswerToChat.Translate(answer, head, output);
                break;
            case Dialect.Messages:
                ChatAnswerToMessages.Translate(answer, head, output);
                break;
            default:
                ChatAnswerToResponses.Translate(answer, head, output);
                break;
        }
    }

    public static StreamTranslator Stream(Dialect caller, Dialect provider, AnswerHead head) => caller switch
    {
        Dialect.Chat when provider == Dialect.Gemini => new GeminiStreamToChat(head),
        Dialect.Chat when provider == Dialect.Converse => new ConverseStreamToChat(head),
        Dialect.Chat => new MessagesStreamToChat(head),
        Dialect.Messages => new ChatStreamToMessages(head),
        _ => new ChatStreamToResponses(head),
    };
}

/// <summary>How to translate a request.</summary>
/// <param name="Model">The provider's model id; null leaves the caller's.</param>
/// <param name="MaxTokens">The most tokens to produce when the caller does not say; Messages requires it.</param>
/// <param name="Lenient">Drop what cannot be translated, and list it, instead of refusing.</param>
/// <param name="MaxTokensField">Chat's member for the maximum: older servers know <c>max_tokens</c> only, OpenAI's reasoning models <c>max_completion_tokens</c> only.</param>
internal sealed record TranslationOptions(string? Model = null, long? MaxTokens = null, bool Lenient = false, string MaxTokensField = "max_completion_tokens");

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

    public string Id(string prefix) => $"{prefix}{Call:N}";
}
