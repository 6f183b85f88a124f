using System.Text.Json;
using LlmMarketplace.Consumption.Pricing;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>Why an answer ended, and what it used, in the words of each protocol.</summary>
internal static class Reasons
{
    private const string StopSequence = "stop_sequence";
    private const string ContextExceeded = "model_context_window_exceeded";

    /// <summary>Messages' <c>stop_reason</c> as Chat's <c>finish_reason</c>.</summary>
    /// <param name="stopReason">As the provider said it.</param>
    /// <param name="keeps">Whether to keep the words that Chat does not have, for the next step of a composition.</param>
    public static string ToChat(ReadOnlySpan<byte> stopReason, bool keeps = false) => stopReason switch
    {
        _ when keeps && stopReason.SequenceEqual("stop_sequence"u8) => StopSequence,
        _ when keeps && stopReason.SequenceEqual("model_context_window_exceeded"u8) => ContextExceeded,
        _ when stopReason.SequenceEqual("tool_use"u8) => "tool_calls",
        _ when stopReason.SequenceEqual("max_tokens"u8) || stopReason.SequenceEqual("model_context_window_exceeded"u8) => "length",
        _ when stopReason.SequenceEqual("refusal"u8) => "content_filter",
        _ => "stop",
    };

    /// <summary>Converse's <c>stopReason</c> as Chat's <c>finish_reason</c>: Messages' words, and some more.</summary>
    public static string ConverseToChat(ReadOnlySpan<byte> stopReason, bool keeps = false) =>
        stopReason.SequenceEqual("guardrail_intervened"u8) || stopReason.SequenceEqual("content_filtered"u8) ? "content_filter" : ToChat(stopReason, keeps);

    /// <summary>Chat's <c>finish_reason</c> as Messages' <c>stop_reason</c>. Chat does not tell a stop sequence from an end.</summary>
    public static string ToMessages(ReadOnlySpan<byte> finishReason, bool hasCalls, bool refused) => finishReason switch
    {
        _ when finishReason.SequenceEqual("stop_sequence"u8) => StopSequence, // Between the steps of a composition.
        _ when finishReason.SequenceEqual("model_context_window_exceeded"u8) => ContextExceeded,
        _ when refused || finishReason.SequenceEqual("content_filter"u8) => "refusal",
        _ when finishReason.SequenceEqual("length"u8) => "max_tokens",
        _ when hasCalls => "tool_use", // Some say `stop` all the same.
        _ => "end_turn",
    };

    /// <summary>Responses' reason for an answer that is not complete; null when it is.</summary>
    public static string? Incomplete(ReadOnlySpan<byte> finishReason) => finishReason switch
    {
        _ when finishReason.SequenceEqual("length"u8) || finishReason.SequenceEqual("model_context_window_exceeded"u8) => "max_output_tokens",
        _ when finishReason.SequenceEqual("content_filter"u8) => "content_filter",
        _ => null,
    };

    /// <summary>Members of Chat's <c>usage</c>; its input includes cached tokens.</summary>
    public static void WriteChatUsage(this Utf8JsonWriter json, TokenUsage usage)
    {
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, usage.InputTokens);
        json.WriteNumber("completion_tokens"u8, usage.OutputTokens);
        json.WriteNumber("total_tokens"u8, usage.InputTokens + usage.OutputTokens);
        json.WriteStartObject("prompt_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, usage.CachedInputTokens);
        json.WriteCacheWrites(usage);
        json.WriteEndObject();
        json.WriteStartObject("completion_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, usage.ReasoningTokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Tokens written to a cache, where there are any: OpenAI has no member for them, others who speak its protocol do.</summary>
    private static void WriteCacheWrites(this Utf8JsonWriter json, TokenUsage usage)
    {
        if (usage.CacheWriteTokens + usage.CacheWrite1hTokens is > 0 and var written)
        {
            json.WriteNumber("cache_write_tokens"u8, written);
        }
    }

    /// <summary>Members of Messages' <c>usage</c>; its input does not include cached tokens.</summary>
    public static void WriteMessagesUsage(this Utf8JsonWriter json, TokenUsage usage)
    {
        json.WriteStartObject("usage"u8);
        json.WriteNumber("input_tokens"u8, usage.InputTokens - usage.CachedInputTokens - usage.CacheWriteTokens - usage.CacheWrite1hTokens);
        json.WriteNumber("cache_creation_input_tokens"u8, usage.CacheWriteTokens + usage.CacheWrite1hTokens);
        json.WriteNumber("cache_read_input_tokens"u8, usage.CachedInputTokens);
        json.WriteNumber("output_tokens"u8, usage.OutputTokens);
        json.WriteEndObject();
    }

    /// <summary>Members of Responses' <c>usage</c>.</summary>
    public static void WriteResponsesUsage(this Utf8JsonWriter json, TokenUsage? usage)
    {
        if (usage is not { } told)
        {
            json.WriteNull("usage"u8);
            return;
        }

        json.WriteStartObject("usage"u8);
        json.WriteNumber("input_tokens"u8, told.InputTokens);
        json.WriteStartObject("input_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, told.CachedInputTokens);
        json.WriteCacheWrites(told);
        json.WriteEndObject();
        json.WriteNumber("output_tokens"u8, told.OutputTokens);
        json.WriteStartObject("output_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, told.ReasoningTokens);
        json.WriteEndObject();
        json.WriteNumber("total_tokens"u8, told.InputTokens + told.OutputTokens);
        json.WriteEndObject();
    }
}
