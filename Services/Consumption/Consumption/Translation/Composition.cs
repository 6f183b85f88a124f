using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// Two pairs, one after the other, for callers and providers neither of which speaks Chat. One class for all of them: a pair of its own would say the same once more.
/// <code>
///  caller ── its request ──► Chat, with a <see cref="Middle"/> ──► provider
///  caller ◄── its answer ─── Chat, <see cref="AnswerHead.IsComposed"/> ◄── provider
/// </code>
/// What Chat has no members for and both sides have is carried in members of others' making: <c>thinking_blocks</c>, <c>thinking</c>, <c>is_error</c>, <c>top_k</c>, <c>extra_content</c>; an order that
/// a message of Chat cannot hold is several messages. What was used is taken from the provider's own words, never from Chat's.
/// </summary>
internal static class Composition
{
    public static TranslatedRequest Request(Dialect caller, Dialect provider, ReadOnlyMemory<byte> body, TranslationOptions options)
    {
        var middle = new Middle(provider);
        var first = Translators.Request(caller, Dialect.Chat, body, options with { Middle = middle });
        if (first.Refusal is not null)
        {
            return first;
        }

        var second = Translators.Request(Dialect.Chat, provider, first.Body, options with { ReadsMiddle = true });
        if (second.Refusal is { } refusal)
        {
            return second with { Refusal = middle.Of(refusal, first.Body.Span) };
        }

        return second with { Dropped = [.. first.Dropped.Concat(second.Dropped.Select(path => middle.Of(path, first.Body.Span))).Distinct()], Echo = first.Echo };
    }

    /// <exception cref="JsonException">The answer is not what its protocol says.</exception>
    public static void Answer(Dialect caller, Dialect provider, ReadOnlyMemory<byte> answer, AnswerHead head, IBufferWriter<byte> output)
    {
        var used = default(UsageFields);
        ReadUsage.Read(answer.Span, provider, ref used);
        var composed = head with { IsComposed = true, Usage = used.ToUsage(provider) };
        var chat = new ArrayBufferWriter<byte>(answer.Length + 512);
        Translators.Answer(Dialect.Chat, provider, answer, composed, chat);
        Translators.Answer(caller, Dialect.Chat, chat.WrittenMemory, composed, output);
    }
}
