using System.Net.Http.Headers;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Idempotency;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary>What one call has to do with its organisation's cache.</summary>
/// <param name="Key">Of the answer, hex.</param>
/// <param name="MaxAge">How old an answer may be that it takes; zero: it takes none.</param>
/// <param name="KeepFor">How long its own answer is kept; zero: not at all.</param>
internal sealed record CacheUse(string Key, TimeSpan MaxAge, TimeSpan KeepFor)
{
    /// <summary>The answer that was found: the provider is not asked.</summary>
    public (Answer Answer, TimeSpan Age)? Found { get; init; }

    /// <summary>
    /// By the call's <c>Cache-Control</c> (RFC 9111): <c>no-store</c> neither takes nor keeps, <c>no-cache</c> only keeps, <c>max-age=N</c> takes what is at most N seconds old and keeps for N seconds,
    /// at most for the organisation's time to live. What cannot be read is <c>no-store</c>.
    /// </summary>
    public static (TimeSpan MaxAge, TimeSpan KeepFor) Wanted(HttpRequest request, CachePolicy policy)
    {
        if (request.Headers.CacheControl is not { Count: > 0 } given)
        {
            return (policy.TimeToLive, policy.TimeToLive);
        }

        if (!CacheControlHeaderValue.TryParse(given.ToString(), out var control) || control.NoStore)
        {
            return default;
        }

        var time = control.MaxAge is { } asked && asked < policy.TimeToLive ? asked : policy.TimeToLive;
        return (control.NoCache ? TimeSpan.Zero : time, time);
    }

    /// <summary>
    /// Whether another call would be answered the same: text, vectors and verdicts of models; nothing that reaches beyond the call (responses that are stored or go on from one that is, searches of the
    /// web), and nothing made of sound.
    /// </summary>
    public static bool IsCacheable(Surface surface, CallRequest request) =>
        !request.SearchesWeb && !request.HasAudio
        && (surface == Surface.ChatCompletions || surface == Surface.Completions || surface == Surface.Messages || surface == Surface.Embeddings || surface == Surface.Moderations
            || surface == Surface.Rerank || (surface == Surface.Responses && !request.Store && request.PreviousResponseId is null));
}
