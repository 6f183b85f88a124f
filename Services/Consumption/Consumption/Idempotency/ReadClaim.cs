using System.Security.Cryptography;
using System.Text;
using LlmMarketplace.Consumption.Calls;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Idempotency;

/// <summary>
/// Reads <c>Idempotency-Key</c> (draft-ietf-httpapi-idempotency-key-header), taken as it stands: 1 to 255 printable characters of ASCII. It means this API key, this path and
/// this body, byte for byte.
/// </summary>
internal sealed class ReadClaim(IOptions<IdempotencyOptions> options)
{
    public const string Header = "Idempotency-Key";
    public const int MaxLength = 255;
    private const int HashBytes = 16;

    /// <summary>The claim of a call whose key and body are read; null: it makes none.</summary>
    public (Claim? Claim, CallRefusal? Refusal) Read(Call call)
    {
        var given = call.Http.Request.Headers[Header];
        if (given.Count == 0)
        {
            return (null, null);
        }

        if (given is not [{ Length: > 0 and <= MaxLength } key] || key.AsSpan().ContainsAnyExceptInRange(' ', '~'))
        {
            return (null, new CallRefusal(CallFailure.InvalidIdempotencyKey));
        }

        var scope = Encoding.ASCII.GetBytes($"{call.Key!.Id:N} {PathOf(call)} {key}");
        return (new Claim(Hash(scope), HashOfBody(call), options.Value.KeptFor), null);
    }

    private static string PathOf(Call call) => call.Request!.Invocation is { } invocation ? call.Surface.Path.Replace("{id}", invocation.ListingId.ToString(), StringComparison.Ordinal) : call.Surface.Path;

    /// <summary>Where the copy of the call's answer is collected.</summary>
    public AnswerCopy NewCopy() => new(options.Value.MaxAnswerBytes);

    /// <summary>Clients that repeat a form give it another boundary: of a form its parts are compared.</summary>
    private static string HashOfBody(Call call)
    {
        if (call.Request is not { FormParts: { Count: > 0 } parts })
        {
            return Hash(call.Body!.Bytes.Span);
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (head, at) in parts)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{head}\n{at.Length}\n"));
            hash.AppendData(call.Body!.Bytes.Span.Slice(at.Start, at.Length));
        }

        return Text(hash.GetHashAndReset());
    }

    private static string Hash(ReadOnlySpan<byte> bytes) => Text(SHA256.HashData(bytes));

    private static string Text(ReadOnlySpan<byte> hash) => Convert.ToHexStringLower(hash[..HashBytes]);
}
