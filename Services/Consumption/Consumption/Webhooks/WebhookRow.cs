using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>An address that an organisation wants its events sent to.</summary>
internal sealed class WebhookRow
{
    public required Guid Id { get; init; }

    public required Guid OrganisationId { get; init; }

    /// <summary>Decides which of the operator's local addresses are open to it.</summary>
    public required string OrganisationSlug { get; set; }

    public required string Url { get; set; }

    public required string[] Events { get; set; }

    public string? Description { get; set; }

    public required bool Enabled { get; set; }

    /// <summary>Why we disabled it; null: it is enabled, or somebody of the organisation did.</summary>
    public DisabledBecause? DisabledBecause { get; set; }

    /// <summary>Since when every attempt has failed.</summary>
    public DateTimeOffset? FailingSince { get; set; }

    /// <summary>Sealed (<see cref="WebhookSecrets"/>).</summary>
    public required byte[] Secret { get; set; }

    /// <summary>The one before a rotation, sealed; it signs too until <see cref="PreviousUntil"/>.</summary>
    public byte[]? PreviousSecret { get; set; }

    public DateTimeOffset? PreviousUntil { get; set; }

    public required string CreatedBy { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>Why we disabled a webhook.</summary>
internal enum DisabledBecause
{
    /// <summary>Its receiver said 410.</summary>
    Gone,

    /// <summary>For days every attempt failed.</summary>
    Failing,
}

/// <summary>An event on its way to a webhook.</summary>
internal sealed class DeliveryRow
{
    public required Guid WebhookId { get; init; }

    public required Guid EventId { get; init; }

    public required string EventType { get; init; }

    /// <summary>The CloudEvent as JSON.</summary>
    public required string Body { get; init; }

    public required DeliveryState State { get; set; }

    /// <summary>Attempts that came to an end.</summary>
    public required int Attempts { get; set; }

    /// <summary>HTTP status of the last attempt.</summary>
    public int? LastStatus { get; set; }

    /// <summary>Why the last attempt brought no status.</summary>
    public string? LastError { get; set; }

    /// <summary>When it is to be taken up; while it is being sent, when whoever does that must have died.</summary>
    public required DateTimeOffset DueAt { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? FinishedAt { get; set; }
}

/// <summary>How far a delivery came.</summary>
internal enum DeliveryState
{
    /// <summary>For its first attempt or its next one.</summary>
    Waiting,

    /// <summary>The receiver said 2xx.</summary>
    Delivered,

    /// <summary>Given up.</summary>
    Failed,
}

/// <summary>The tables of webhooks.</summary>
internal static class WebhookTables
{
    private const string IsWaiting = "state = 'Waiting'";

    public static void AddWebhooks(this ModelBuilder model)
    {
        model.Entity<WebhookRow>(webhook =>
        {
            webhook.ToTable("webhooks");
            webhook.HasKey(w => w.Id);
            webhook.HasIndex(w => new { w.OrganisationId, w.Id });
            webhook.Property(w => w.DisabledBecause).HasConversion<string>();
        });
        model.Entity<DeliveryRow>(delivery =>
        {
            delivery.ToTable("webhook_deliveries");
            delivery.HasKey(d => new { d.WebhookId, d.EventId });
            delivery.HasOne<WebhookRow>().WithMany().HasForeignKey(d => d.WebhookId).OnDelete(DeleteBehavior.Cascade);
            delivery.HasIndex(d => d.DueAt).HasFilter(IsWaiting);
            delivery.HasIndex(d => new { d.WebhookId, d.DueAt }).HasFilter(IsWaiting);
            delivery.HasIndex(d => d.FinishedAt).HasFilter("finished_at IS NOT NULL");
            delivery.Property(d => d.State).HasConversion<string>();
            delivery.Property(d => d.Body).HasColumnType("json");
        });
    }
}
