using System.ComponentModel;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary><c>GET /api/v1/call-logs/{callId}</c>: what a call asked and was answered, redacted.</summary>
internal static class GetCallLog
{
    /// <param name="Call">The call.</param>
    /// <param name="Request">What was asked; null when the call had no body.</param>
    /// <param name="Answer">What was answered, by the provider or by the marketplace itself; null when nothing came to the caller.</param>
    internal sealed record Response(ListCallLogs.Item Call, LoggedBody? Request, LoggedBody? Answer);

    public static void Map(IEndpointRouteBuilder logs) => logs.MapGet("/{callId:guid}", HandleAsync).WithName("GetCallLog").WithSummary("What a call asked and was answered, redacted");

    private static async Task<Results<Ok<Response>, ProblemHttpResult>> HandleAsync(
        [Description("The call's `x-request-id`.")] Guid callId, ClaimsPrincipal caller, ConsumptionDb db, IOptions<KeySecrets> secrets, TimeProvider time, CancellationToken cancellationToken)
    {
        var (organisation, now) = (caller.OrganisationId(), time.GetUtcNow());
        var log = await db.Set<CallLogRow>().AsNoTracking().SingleOrDefaultAsync(one => one.OrganisationId == organisation && one.CallId == callId && one.ExpiresAt > now, cancellationToken);
        if (log is null)
        {
            return Problems.NotFound("The logged call");
        }

        try
        {
            var opened = new AnswerProtector(secrets.Value.ApiKeyHmacBytes).Unprotect(organisation, WriteCallLogs.Bound, callId, log.Sealed);
            var bodies = JsonSerializer.Deserialize<LoggedBodies>(opened.Body.Span, Json.Options)!;
            return TypedResults.Ok(new Response(
                new ListCallLogs.Item(log.CallId, log.KeyId, log.Service, log.Operation, log.Outcome, log.StatusCode, log.EndUser, log.AdmittedAt, log.ExpiresAt), bodies.Request, bodies.Answer));
        }
        catch (CryptographicException)
        {
            return Problems.Conflict("call_log_unreadable", "The call was logged with another secret of the marketplace, or was changed since; it cannot be read any more.");
        }
    }
}
