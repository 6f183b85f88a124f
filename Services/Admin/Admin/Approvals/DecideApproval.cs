using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Admin.Approvals;

/// <summary>
/// <c>POST /api/v1/approvals/{id}/approve</c> and <c>/reject</c>. Four eyes: never whoever submitted the version. The decision and its event are one transaction under
/// the approval's lock, so that of two deciders one is the first; repeating one's own decision answers it again.
/// </summary>
internal static class DecideApproval
{
    public static void Map(RouteGroupBuilder approvals)
    {
        approvals.MapPost("/{id:guid}/approve", ApproveAsync).WithName("ApproveVersion").RequireAuthorization(MayDecide).WithSummary("Approve a version");
        approvals.MapPost("/{id:guid}/reject", RejectAsync).WithName("RejectVersion").RequireAuthorization(MayDecide).WithSummary("Reject a version");
    }

    private static void MayDecide(Microsoft.AspNetCore.Authorization.AuthorizationPolicyBuilder policy) =>
        policy.RequireClaim(MarketplaceTokens.RoleClaim, Roles.Approver, Roles.Admin);

    private static Task<Results<Ok<ApprovalView>, ProblemHttpResult>> ApproveAsync(
        Guid id, Request request, ClaimsPrincipal caller, AdminDb db, Outbox outbox, ApprovalTelemetry telemetry, TimeProvider time, CancellationToken cancellationToken) =>
        DecideAsync(id, request, ApprovalStatus.Approved, caller.Subject(), db, outbox, telemetry, time, cancellationToken);

    private static Task<Results<Ok<ApprovalView>, ProblemHttpResult>> RejectAsync(
        Guid id, Request request, ClaimsPrincipal caller, AdminDb db, Outbox outbox, ApprovalTelemetry telemetry, TimeProvider time, CancellationToken cancellationToken) =>
        DecideAsync(id, request, ApprovalStatus.Rejected, caller.Subject(), db, outbox, telemetry, time, cancellationToken);

    private static async Task<Results<Ok<ApprovalView>, ProblemHttpResult>> DecideAsync(
        Guid id, Request request, ApprovalStatus decision, string decider, AdminDb db, Outbox outbox, ApprovalTelemetry telemetry, TimeProvider time, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(request.Reason) || request.Reason.Length > 2_000 || request.Reason.Contains('\0', StringComparison.Ordinal))
        {
            return Problems.Invalid(new Issue("reason_required", "/reason", "Give a reason of 1 to 2000 characters."));
        }

        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        if (await db.LockApprovalAsync(id, cancellationToken) is not { } approval)
        {
            return Problems.NotFound("This approval");
        }

        if (approval.RequestedBy == decider)
        {
            return Problems.Forbidden("four_eyes", "You submitted this version: another person must decide.");
        }

        if (approval.Status == decision && approval.DecidedBy == decider)
        {
            return TypedResults.Ok(ApprovalView.Of(approval));
        }

        if (approval.Status != ApprovalStatus.Pending)
        {
            return AlreadyClosed(approval);
        }

        if (approval.ExpiresAt <= time.GetUtcNow())
        {
            return Problems.Conflict("approval_expired", "Nobody decided in time: the provider must submit a new version.");
        }

        approval.Close(decision, decider, request.Reason, time.GetUtcNow());
        outbox.AddDecision(db, approval);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        telemetry.Closed(decision);
        return TypedResults.Ok(ApprovalView.Of(approval));
    }

    private static ProblemHttpResult AlreadyClosed(Approval approval) => Problems.Of(
        StatusCodes.Status409Conflict,
        "already_decided",
        approval.DecidedBy is { } by ? $"{by} {ApprovalEvents.Word(approval.Status)} it at {approval.DecidedAt:u}." : $"It is {ApprovalEvents.Word(approval.Status)} since {approval.DecidedAt:u}.",
        new("approvalStatus", approval.Status),
        new("decidedBy", approval.DecidedBy),
        new("decidedAt", approval.DecidedAt),
        new("reason", approval.DecisionReason));

    /// <summary>A decision.</summary>
    /// <param name="Reason">Why; the provider reads it. 1 to 2000 characters.</param>
    internal sealed record Request([property: Required] string? Reason);
}
