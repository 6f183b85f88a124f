using System.Security.Cryptography;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.ResponseCache;
using Npgsql;

namespace LlmMarketplace.Consumption.Idempotency;

/// <summary>Sends a kept answer once more: status, content type and body as they were first, under the first call's <c>x-request-id</c>. Nothing is recorded, nothing charged.</summary>
internal sealed class ReplayAnswer(NpgsqlDataSource database, AnswerProtector protector, ConsumptionTelemetry telemetry)
{
    /// <summary>As Stripe names it.</summary>
    public const string Header = "idempotent-replayed";

    /// <summary>Sends it, or says why there is none.</summary>
    public async Task<CallRefusal?> SendAsync(Call call) => await FindAsync(call) is { } kept ? await SendAsync(call, kept) : NotKept(call.Limits?.Holder);

    /// <summary>
    /// For a call that cannot be made (any more), or whose first one is open by what Redis knows: its settlement may be under way, and its answer is kept before. Sends what is kept, if
    /// anything is known of it.
    /// </summary>
    public async Task<(bool Known, CallRefusal? Refusal)> TrySendAsync(Call call)
    {
        try
        {
            return await FindAsync(call) is { } kept ? (true, await SendAsync(call, kept)) : (false, null);
        }
        catch (Exception away) when (away is NpgsqlException or TimeoutException)
        {
            return (false, null); // The call is refused anyway, for a better reason.
        }
    }

    /// <summary>A complete call's answer is not there.</summary>
    public static CallRefusal NotKept(Guid? call) => new(
        CallFailure.AnswerNotKept, $"The first call with this idempotency key ({call}) was complete and is charged, but its answer is not kept: it was too large, too old, or could not be stored. Call with another key.");

    public static CallRefusal OtherBody(Guid? call) => new(
        CallFailure.IdempotencyKeyReused, $"This idempotency key was first sent with another body (call {call}). Use a new key for another request.", ReadClaim.Header);

    private async Task<Kept?> FindAsync(Call call)
    {
        await using var find = database.CreateCommand("SELECT call_id, body, key_id, answer FROM kept_answers WHERE organisation_id = $1 AND claim = $2 AND expires_at > clock_timestamp()");
        find.Parameters.Add(new() { Value = call.Organisation!.Id });
        find.Parameters.Add(new() { Value = call.Claim!.Key });
        await using var reader = await find.ExecuteReaderAsync(call.Left);
        return await reader.ReadAsync(call.Left)
            ? new Kept(reader.GetGuid(0), reader.GetString(1), reader.IsDBNull(2) ? null : reader.GetString(2), reader.IsDBNull(3) ? null : reader.GetFieldValue<byte[]>(3))
            : null;
    }

    private async Task<CallRefusal?> SendAsync(Call call, Kept kept)
    {
        if (kept.Body != call.Claim!.Body)
        {
            return OtherBody(kept.Call);
        }

        if (kept.Answer is null || kept.KeyId != protector.KeyId)
        {
            return NotKept(kept.Call);
        }

        Answer answer;
        try
        {
            answer = protector.Unprotect(call.Organisation!.Id, call.Claim.Key, kept.Call, kept.Answer);
        }
        catch (CryptographicException)
        {
            return NotKept(kept.Call);
        }

        telemetry.Replayed(call.Activity, call.Surface);
        var response = call.Http.Response;
        CallAnswers.SetRequestId(call.Http, kept.Call);
        response.Headers[Header] = "true";
        response.Headers.Remove(ServeCached.Header);
        await WriteAsync(call, answer);
        return null;
    }

    /// <summary>Writes an answer as it was first sent.</summary>
    public static async Task WriteAsync(Call call, Answer answer)
    {
        var response = call.Http.Response;
        foreach (var (name, value) in answer.Headers)
        {
            response.Headers[name] = value;
        }

        response.StatusCode = answer.Status;
        if (answer is { ContentType: "", Body.IsEmpty: true })
        {
            return;
        }

        response.ContentType = answer.ContentType;
        response.ContentLength = answer.Body.Length;
        await response.Body.WriteAsync(answer.Body, call.Left);
    }

    private sealed record Kept(Guid Call, string Body, string? KeyId, byte[]? Answer);
}
