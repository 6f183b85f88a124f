using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// What calls with sound cost. Transcripts: by the provider's tokens or seconds, whichever it tells; seconds that it does not tell are counted from the file. Speech: by
/// characters, which are known; by tokens only where the provider tells them, which it does in a stream of events alone.
/// </summary>
internal static class AudioCharge
{
    /// <summary>What of the request has no price; null when all has.</summary>
    public static (string What, string Param)? Unpriced(Surface surface, CallRequest request, Price price) =>
        surface.TakesForm && price is { AudioInput: null, AudioMinute: null, Input: > 0 } ? ("audio", "file")
        : surface == Surface.AudioSpeech && !request.Stream && (price.Output > 0 || price.AudioOutput > 0) ? ("speech whose tokens the provider does not tell: ask for `stream_format` `sse`", "stream_format")
        : null;

    /// <summary>The most tokens in and out. A listing without a context window and without rates for tokens is not counted in tokens.</summary>
    public static (long Input, long Output) Tokens(int bodyBytes, long mediaTokens, int defaultOutput, ModelFacts model, Price price)
    {
        var input = model.ContextWindow ?? (price.HasTokenRates ? bodyBytes + mediaTokens : 0);
        return (input, model.MaxOutputTokens ?? (price.HasTokenRates ? defaultOutput : 0));
    }

    /// <summary>The most seconds; 0 where time costs nothing.</summary>
    public static decimal MostSeconds(Call call, Price price) => price.AudioMinute is null ? 0 : AudioLength.UpperBound(File(call).Span);

    /// <summary>What is charged.</summary>
    /// <param name="call">The call.</param>
    /// <param name="told">What the provider told, or null.</param>
    /// <param name="usage">The same, or else what was counted.</param>
    /// <param name="counted">Whether anything of the result was counted by us.</param>
    public static TokenUsage Of(Call call, TokenUsage? told, TokenUsage usage, out bool counted)
    {
        counted = told is null;
        if (call.Surface == Surface.AudioSpeech)
        {
            return usage with { Characters = call.Request!.Characters, AudioOutputTokens = usage.OutputTokens };
        }

        var price = call.Plan!.Price;
        if (price.AudioMinute is null)
        {
            return usage;
        }

        var byTokens = told is { Total: > 0 } && price.HasTokenRates;
        if (usage.AudioSeconds > 0 || byTokens)
        {
            return usage;
        }

        counted = true;
        return usage with { AudioSeconds = call.FileSeconds!.Value };
    }

    /// <summary>Where time costs, measures the file before anything is reserved. The reason, when that cannot be done.</summary>
    public static CallRefusal? Measure(Call call, Price price)
    {
        if (!call.Surface.TakesForm || price.AudioMinute is null)
        {
            return null;
        }

        call.FileSeconds ??= AudioLength.Seconds(File(call));
        return call.FileSeconds is null ? new CallRefusal(CallFailure.InvalidField, "`file` is empty or broken: its length, by which it is charged, cannot be told.", "file") : null;
    }

    private static ReadOnlyMemory<byte> File(Call call) => call.Request!.File is { } at ? call.Body!.Bytes.Slice(at.Start, at.Length) : default;
}
