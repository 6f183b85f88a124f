using LlmMarketplace.Messaging.Consuming;
using LlmMarketplace.Messaging.DeadLetters;
using LlmMarketplace.Messaging.Feed;
using LlmMarketplace.Messaging.Kafka;
using LlmMarketplace.Messaging.Publishing;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Messaging;

/// <summary>START HERE. Events between services: an outbox on the way out, positions beside effects on the way in.</summary>
/// <remarks>
/// <code>
/// change + outbox row, one transaction          Outbox
///   → NOTIFY → relay (one per service): sequence  Relay, Sequencer
///     → Feed: GET /internal/events (long poll)    FeedEndpoint ─→ FeedFollower
///     → Kafka: produce, acks=all                  KafkaPublisher ─→ KafkaFollower
///       → effect + version + position, one transaction   EventApplier → IEventHandler
/// </code>
/// Whatever dies, the next start goes on from what is committed: an event is sent again when it is not known to be sent, and dropped by its sequence when it was applied.
/// </remarks>
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
        var services = builder.Services;
        services.AddOptions<MessagingOptions>().BindConfiguration(MessagingOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(new ServiceIdentity(service));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IDatabaseSchema, MessagingSchema>());
        services.TryAddSingleton<MessagingTelemetry>();
        services.TryAddSingleton<MessagingHealth>();
        if (!services.Any(registered => registered.ServiceType == typeof(IEventApplier)))
        {
            services.AddHealthChecks().AddCheck<MessagingHealth>("messaging");
        }

        services.TryAddSingleton(provider => new Outbox(provider.GetServices<PublishedEvent>(), provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton<Sequencer>();
        services.TryAddSingleton<Retention>();
        services.TryAddSingleton<Subscriptions>();
        services.TryAddSingleton<Positions>();
        services.TryAddSingleton<IEventApplier, EventApplier<TContext>>();

        services.TryAddSingleton<FeedSignal>();
        services.TryAddSingleton<FeedTransport>();
        services.TryAddSingleton<IKafkaClients, KafkaClients>();
        services.TryAddSingleton<KafkaPublisher>();
        services.TryAddSingleton<KafkaFollower>();
        services.TryAddSingleton<KafkaTransport>();
        services.TryAddSingleton<IEventTransport>(provider => provider.GetRequiredService<IOptions<MessagingOptions>>().Value.Transport switch
        {
            Transport.Kafka => provider.GetRequiredService<KafkaTransport>(),
            _ => provider.GetRequiredService<FeedTransport>(),
        });

        services.AddHostedService<Relay>();
        services.AddHostedService<ConsumerHost>();
        services.AddHostedService(provider => provider.GetRequiredService<FeedSignal>());
        return new MessagingBuilder<TContext>(services, service);
    }

    /// <summary>Maps <c>/internal/events</c> (role <c>service</c>) and <c>/api/v1/operations/{service}/dead-letters</c> (role <c>admin</c>).</summary>
    public static void MapMessaging(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapFeed();
        app.MapDeadLetters(app.Services.GetRequiredService<ServiceIdentity>().Name);
    }

    /// <summary>Maps the outbox into a service's context, so that events are saved with the change that they tell of. Call it in <c>OnModelCreating</c>; its tables are not part of the service's migrations.</summary>
    public static void AddOutbox(this ModelBuilder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.Entity<OutboxRow>(row =>
        {
            row.ToTable("outbox", "messaging", table => table.ExcludeFromMigrations());
            row.HasKey(e => e.Id);
            row.Property(e => e.Id).ValueGeneratedNever().HasColumnName("id");
            row.Property(e => e.Topic).HasColumnName("topic");
            row.Property(e => e.Key).HasColumnName("key");
            row.Property(e => e.AggregateVersion).HasColumnName("aggregate_version");
            row.Property(e => e.Type).HasColumnName("type");
            row.Property(e => e.Data).HasColumnName("data").HasColumnType("json");
            row.Property(e => e.Time).HasColumnName("time");
            row.Property(e => e.Traceparent).HasColumnName("traceparent");
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
    /// <param name="kind">What the topic's events are: decides how long they are kept.</param>
    public MessagingBuilder<TContext> Publishes<TEvent>(string topic, string type, TopicKind kind = TopicKind.State)
        where TEvent : class
    {
        services.AddSingleton(new PublishedEvent(typeof(TEvent), service, topic, type, kind));
        return this;
    }

    /// <summary>Handles an event type of another service.</summary>
    /// <param name="producer">The service that owns the topic.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="type">CloudEvents type.</param>
    /// <param name="kind">What the topic's events are, as its owner declares.</param>
    public MessagingBuilder<TContext> Consumes<TEvent, THandler>(string producer, string topic, string type, TopicKind kind = TopicKind.State)
        where TEvent : class
        where THandler : class, IEventHandler<TEvent>
    {
        services.TryAddScoped<THandler>();
        services.AddSingleton<Subscription>(new Subscription<TEvent, THandler>(producer, topic, type, kind));
        return this;
    }
}

/// <summary>The service that this application is.</summary>
internal sealed record ServiceIdentity(string Name);

/// <summary>An event type that a service publishes.</summary>
internal sealed record PublishedEvent(Type Event, string Service, string Topic, string Type, TopicKind Kind);
