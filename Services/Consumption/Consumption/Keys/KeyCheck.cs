using System.Net;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Catalogue;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>Who calls, by the key in <c>Authorization: Bearer</c> or, as Anthropic's clients send it, <c>x-api-key</c>; from memory alone.</summary>
internal sealed class KeyCheck(KeyRing keys, Catalogue.Catalogue catalogue, ApiKeyHasher hasher, KeyGuesses guesses, Warmth warmth, TimeProvider time)
{
    // Proved against when no key has the identifier, so that an unknown one takes as long as a wrong one.
    private static readonly byte[] NoHash = new byte[32];

    public (Key? Key, Organisation? Organisation, CallRefusal? Refusal) Check(HttpRequest request)
    {
        if (!warmth.IsWarm)
        {
            return Refuse(CallFailure.NotReady);
        }

        if ((BearerOf(request) ?? GivenAs("x-api-key", request)) is not { } text)
        {
            return Refuse(CallFailure.MissingKey);
        }

        var address = request.HttpContext.Connection.RemoteIpAddress;
        if (!ApiKey.TryParse(text, out var given))
        {
            return Wrong(address, null);
        }

        var key = keys.Find(given.Identifier);
        if (key is null)
        {
            _ = hasher.Proves(given, NoHash);
            return Wrong(address, null);
        }

        if (guesses.IsBarred(address, given.Identifier))
        {
            return TooMany;
        }

        if (Judge(given, key) is { } failure)
        {
            return failure == CallFailure.InvalidKey ? Wrong(address, given.Identifier) : Refuse(failure);
        }

        return catalogue.Current.Organisations.TryGetValue(key.OrganisationId, out var organisation) && organisation.Active
            ? (key, organisation, null)
            : Refuse(CallFailure.OrganisationSuspended);
    }

    /// <summary>Judges a request by settings of its key that were read anew; null: it may go on.</summary>
    public CallRefusal? Recheck(HttpRequest request, Key? fresh) =>
        fresh is null || !ApiKey.TryParse(BearerOf(request) ?? GivenAs("x-api-key", request), out var given) ? new CallRefusal(CallFailure.InvalidKey)
        : Judge(given, fresh) is { } failure ? new CallRefusal(failure)
        : null;

    private CallFailure? Judge(ApiKey given, Key key)
    {
        var now = time.GetUtcNow();
        return !hasher.Proves(given, key.Hash, key.PreviousUntil > now ? key.PreviousHash : null) ? CallFailure.InvalidKey
            : key.RevokedAt is not null ? CallFailure.RevokedKey
            : key.ExpiresAt <= now ? CallFailure.ExpiredKey
            : key.SuspendedAt is not null ? CallFailure.SuspendedKey
            : null;
    }

    /// <summary>The bearer token of a request, or null.</summary>
    public static string? BearerOf(HttpRequest request)
    {
        const string scheme = "Bearer ";
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) && header.AsSpan(scheme.Length).Trim() is { Length: > 0 } token ? token.ToString() : null;
    }

    private static string? GivenAs(string header, HttpRequest request) => request.Headers[header].ToString() is { Length: > 0 } value ? value : null;

    private (Key? Key, Organisation? Organisation, CallRefusal? Refusal) Wrong(IPAddress? address, string? identifier) =>
        guesses.TryNote(address, identifier) ? Refuse(CallFailure.InvalidKey) : TooMany;

    private static (Key? Key, Organisation? Organisation, CallRefusal? Refusal) TooMany => (null, null, new CallRefusal(CallFailure.TooManyWrongKeys, RetryAfter: KeyGuesses.Pause));

    private static (Key? Key, Organisation? Organisation, CallRefusal? Refusal) Refuse(CallFailure failure) => (null, null, new CallRefusal(failure));
}
