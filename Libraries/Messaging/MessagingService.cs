using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.Messaging;

/// <summary>START HERE. Events between services: an outbox on the way out, positions beside effects on the way in.</summary>
public static class MessagingService
{
    /// <summary>
    /// Gives a service its outbox, relay and consumer. The transport is <c>Messaging:Transport</c>: <c>Kafka</c>, or <c>Feed</c>
    /// (the producer's outbox is the log, followed over HTTP).
    /// </summary>
    /// <typeparam name="TContext">The service's context; effects, positions and outbox rows are one transaction of it.</typeparam>
    /// <param name="builder">The service's builder.</param>
    /// <param name="service">The service's name, for instance <c>publishing</c>; also its consumer group.</param>
    public static MessagingBuilder<TContext> AddMessaging<TContext>(this IHostApplicationBuilder builder, string service)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddSingleton<Outbox>();
        return new MessagingBuilder<TContext>(builder.Services, service);
    }

    /// <summary>Maps <c>/internal/events</c> (role <c>service</c>) and <c>/api/v1/operations/{service}/dead-letters</c> (role <c>admin</c>).</summary>
    public static void MapMessaging(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
    }

    /// <summary>Maps the outbox into a service's context, so that events are saved with the change that they tell of. Call it in <c>OnModelCreating</c>; its tables are not part of the service's migrations.</summary>
    public static void AddOutbox(this ModelBuilder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.Entity<OutboxRow>(row =>
        {
            row.ToTable("outbox", "messaging", table => table.ExcludeFromMigrations());
            row.HasKey(e => e.Id);
        });
    }
}

/// <summary>What a service publishes and consumes.</summary>
public sealed class MessagingBuilder<TContext>
    where TContext : DbContext
{
    private readonly IServiceCollection services;
    private readonly string service;

    internal MessagingBuilder(IServiceCollection services, string service)
    {
        this.services = services;
        this.service = service;
    }

    /// <summary>Declares an event type that this service publishes.</summary>
    /// <param name="topic">A topic that this service owns.</param>
    /// <param name="type">CloudEvents type with its major version, for instance <c>marketplace.service.changed.v1</c>.</param>
    public MessagingBuilder<TContext> Publishes<TEvent>(string topic, string type)
        where TEvent : class
    {
        services.AddSingleton(new PublishedEvent(typeof(TEvent), service, topic, type));
        return this;
    }

    /// <summary>Handles an event type of another service.</summary>
    /// <param name="producer">The service that owns the topic.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="type">CloudEvents type.</param>
    public MessagingBuilder<TContext> Consumes<TEvent, THandler>(string producer, string topic, string type)
        where TEvent : class
        where THandler : class, IEventHandler<TEvent>
    {
        services.AddScoped<THandler>();
        return this;
    }
}

/// <summary>An event type that a service publishes.</summary>
internal sealed record PublishedEvent(Type Event, string Service, string Topic, string Type);
