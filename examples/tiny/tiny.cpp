// Distillation from nothing, on a few screens: a matrix, a tape, a perceptron and the loss that
// makes a small network learn from a large one. No dependency besides the standard library.
//
//   tiny              trains a teacher, a student alone and a distilled student
//   tiny --gradients  prints one step's inputs and gradients; a test compares them with Athanor's
//
// The library does the same with tensors of any rank and dtype, fast kernels and gradients of
// gradients: autograd/node.h is this file's Tape, tensor/ops its functions.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

// ---- A matrix of doubles, row by row.

struct Matrix {
  int rows = 0, cols = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(int r, int c) : rows(r), cols(c), values(static_cast<std::size_t>(r * c), 0.0) {}
  double& at(int i, int j) { return values[static_cast<std::size_t>(i * cols + j)]; }
  double at(int i, int j) const { return values[static_cast<std::size_t>(i * cols + j)]; }
};

// a b, where either may be read transposed.
Matrix multiply(const Matrix& a, const Matrix& b, bool a_transposed, bool b_transposed) {
  const int rows = a_transposed ? a.cols : a.rows, inner = a_transposed ? a.rows : a.cols;
  const int cols = b_transposed ? b.rows : b.cols;
  Matrix c(rows, cols);
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < cols; ++j) {
      for (int k = 0; k < inner; ++k) {
        c.at(i, j) +=
            (a_transposed ? a.at(k, i) : a.at(i, k)) * (b_transposed ? b.at(j, k) : b.at(k, j));
      }
    }
  }
  return c;
}

void add_to(Matrix& sum, const Matrix& term, double factor = 1) {
  for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += factor * term.values[i];
}

// Each row of softmax(x / temperature). Subtracting the largest keeps exp() finite.
Matrix softmax(const Matrix& x, double temperature) {
  Matrix y(x.rows, x.cols);
  for (int i = 0; i < x.rows; ++i) {
    double largest = x.at(i, 0), sum = 0;
    for (int j = 1; j < x.cols; ++j) largest = std::max(largest, x.at(i, j));
    for (int j = 0; j < x.cols; ++j) {
      y.at(i, j) = std::exp((x.at(i, j) - largest) / temperature);
      sum += y.at(i, j);
    }
    for (int j = 0; j < x.cols; ++j) y.at(i, j) /= sum;
  }
  return y;
}

// ---- The tape: every result knows its gradient and how to pass it on to its inputs.

struct Tape {
  struct Node {
    Matrix value, gradient;
    std::function<void()> backward;  // adds to the gradients of the inputs
  };
  std::vector<Node> nodes;

  // A result's number. Results come after their inputs, so that walking the tape from its end
  // visits each node when its gradient is complete.
  using Id = std::size_t;

  Id push(Matrix value, std::function<void()> backward = {}) {
    Matrix zeros(value.rows, value.cols);
    nodes.push_back({std::move(value), std::move(zeros), std::move(backward)});
    return nodes.size() - 1;
  }
  const Matrix& value(Id id) const { return nodes[id].value; }
  Matrix& gradient(Id id) { return nodes[id].gradient; }

  // y = x w + b for each row;  dx = dy w^T, dw = x^T dy, db = sum of dy over rows
  Id linear(Id x, Id w, Id b) {
    Matrix y = multiply(value(x), value(w), false, false);
    for (int i = 0; i < y.rows; ++i) {
      for (int j = 0; j < y.cols; ++j) y.at(i, j) += value(b).at(0, j);
    }
    const Id id = nodes.size();
    return push(std::move(y), [this, id, x, w, b] {
      const Matrix& dy = gradient(id);
      add_to(gradient(x), multiply(dy, value(w), false, true));
      add_to(gradient(w), multiply(value(x), dy, true, false));
      for (int i = 0; i < dy.rows; ++i) {
        for (int j = 0; j < dy.cols; ++j) gradient(b).at(0, j) += dy.at(i, j);
      }
    });
  }

  // y = max(x, 0);  dx = dy where x > 0
  Id relu(Id x) {
    Matrix y = value(x);
    for (double& v : y.values) v = std::max(v, 0.0);
    const Id id = nodes.size();
    return push(std::move(y), [this, id, x] {
      for (std::size_t i = 0; i < value(x).values.size(); ++i) {
        if (value(x).values[i] > 0) gradient(x).values[i] += gradient(id).values[i];
      }
    });
  }

  // Mean over rows of T^2 KL(q || p), with p = softmax(x / T) and targets q (Hinton 2015).
  // One-hot q at T = 1 is cross-entropy.  dx = dy T (p - q) / rows
  Id distance_to(Id x, const Matrix& q, double temperature) {
    const Matrix p = softmax(value(x), temperature);
    const double rows = p.rows, scale = temperature * temperature / rows;
    Matrix y(1, 1);
    for (std::size_t i = 0; i < p.values.size(); ++i) {
      if (q.values[i] > 0) {
        y.values[0] += scale * q.values[i] * std::log(q.values[i] / p.values[i]);
      }
    }
    const Id id = nodes.size();
    return push(std::move(y), [this, id, x, p, q, temperature, rows] {
      const double dy = gradient(id).values[0];
      add_to(gradient(x), p, dy * temperature / rows);
      add_to(gradient(x), q, -dy * temperature / rows);
    });
  }

  // y = a x + b z
  Id mix(double a, Id x, double b, Id z) {
    Matrix y(value(x).rows, value(x).cols);
    add_to(y, value(x), a);
    add_to(y, value(z), b);
    const Id id = nodes.size();
    return push(std::move(y), [this, id, a, x, b, z] {
      add_to(gradient(x), gradient(id), a);
      add_to(gradient(z), gradient(id), b);
    });
  }

  void backward(Id loss) {
    gradient(loss).values[0] = 1;
    for (Id id = nodes.size(); id-- > 0;) {
      if (nodes[id].backward) nodes[id].backward();
    }
  }
};

// ---- A perceptron with one hidden layer.

double uniform(std::mt19937& random) { return static_cast<double>(random()) / 4294967296.0; }

struct Perceptron {
  Matrix parameters[4];  // w1, b1, w2, b2

  Perceptron(int inputs, int hidden, int classes, std::mt19937& random)
      : parameters{{inputs, hidden}, {1, hidden}, {hidden, classes}, {1, classes}} {
    for (Matrix& p : parameters) {
      for (double& v : p.values) v = uniform(random) * 2 - 1;
    }
  }

  // Logits; `ids` receives where the parameters stand on the tape.
  Tape::Id run(Tape& tape, const Matrix& x, Tape::Id ids[4]) const {
    for (int i = 0; i < 4; ++i) ids[i] = tape.push(parameters[i]);
    const Tape::Id hidden = tape.relu(tape.linear(tape.push(x), ids[0], ids[1]));
    return tape.linear(hidden, ids[2], ids[3]);
  }
  Matrix logits(const Matrix& x) const {
    Tape tape;
    Tape::Id ids[4];
    return tape.value(run(tape, x, ids));
  }
};

// ---- Data: three spiral arms, and the distillation of what was learned on them.

struct Data {
  Matrix x, one_hot;
};

Data spirals(int count, double noise, std::mt19937& random) {
  Data data{Matrix(count, 2), Matrix(count, 3)};
  for (int i = 0; i < count; ++i) {
    const double radius = uniform(random);
    const double angle = 3.5 * radius + 2.0944 * (i % 3) + noise * (uniform(random) * 2 - 1);
    data.x.at(i, 0) = 3 * radius * std::cos(angle);
    data.x.at(i, 1) = 3 * radius * std::sin(angle);
    data.one_hot.at(i, i % 3) = 1;
  }
  return data;
}

// (1 - soft) cross-entropy with the labels + soft T^2 KL from the teacher.
Tape::Id distillation_loss(Tape& tape, Tape::Id logits, const Matrix& one_hot,
                           const Matrix& teacher_logits, double soft, double temperature) {
  const Tape::Id hard = tape.distance_to(logits, one_hot, 1);
  const Tape::Id kl = tape.distance_to(logits, softmax(teacher_logits, temperature), temperature);
  return tape.mix(1 - soft, hard, soft, kl);
}

// Gradient descent with momentum on the whole set; soft = 0 is ordinary training.
void train(Perceptron& net, const Data& data, const Matrix& teacher_logits, double soft) {
  std::vector<Matrix> velocity;
  for (const Matrix& p : net.parameters) velocity.emplace_back(p.rows, p.cols);
  for (int step = 0; step < 1000; ++step) {
    Tape tape;
    Tape::Id ids[4];
    const Tape::Id logits = net.run(tape, data.x, ids);
    tape.backward(distillation_loss(tape, logits, data.one_hot, teacher_logits, soft, 2.0));
    for (std::size_t i = 0; i < 4; ++i) {
      for (double& v : velocity[i].values) v *= 0.9;
      add_to(velocity[i], tape.gradient(ids[i]));
      add_to(net.parameters[i], velocity[i], -0.1);
    }
  }
}

double accuracy(const Perceptron& net, const Data& data) {
  const Matrix logits = net.logits(data.x);
  int right = 0;
  for (int i = 0; i < logits.rows; ++i) {
    int best = 0;
    for (int j = 1; j < logits.cols; ++j) {
      if (logits.at(i, j) > logits.at(i, best)) best = j;
    }
    right += data.one_hot.at(i, best) > 0;
  }
  return static_cast<double>(right) / logits.rows;
}

void print(const char* name, const Matrix& m) {
  std::printf("%s %d %d", name, m.rows, m.cols);
  for (double v : m.values) std::printf(" %.17g", v);
  std::printf("\n");
}

void print_gradients() {
  std::mt19937 random(7);
  const Data data = spirals(6, 0.2, random);
  const Perceptron teacher(2, 8, 3, random), student(2, 4, 3, random);
  const Matrix teacher_logits = teacher.logits(data.x);
  Tape tape;
  Tape::Id ids[4];
  const Tape::Id logits = student.run(tape, data.x, ids);
  const Tape::Id loss = distillation_loss(tape, logits, data.one_hot, teacher_logits, 0.7, 2.0);
  tape.backward(loss);
  print("x", data.x);
  print("one_hot", data.one_hot);
  print("teacher", teacher_logits);
  print("loss", tape.value(loss));
  const char* names[] = {"w1", "b1", "w2", "b2"};
  for (int i = 0; i < 4; ++i) {
    print(names[i], student.parameters[i]);
    print((std::string("d") + names[i]).c_str(), tape.gradient(ids[i]));
  }
}

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--gradients") == 0) {
    print_gradients();
    return 0;
  }
  std::mt19937 random(1);
  const Data few = spirals(60, 0.6, random), test = spirals(600, 0.6, random);
  const Data many = spirals(600, 0.6, random);
  Perceptron teacher(2, 32, 3, random);
  const Perceptron start(2, 8, 3, random);
  train(teacher, many, Matrix(600, 3), 0);
  Perceptron alone = start, distilled = start;
  // The student has no labels for the many points; the teacher has an opinion on each of them.
  train(alone, few, Matrix(60, 3), 0);
  train(distilled, many, teacher.logits(many.x), 1);
  std::printf("teacher    %.3f\n", accuracy(teacher, test));
  std::printf("alone      %.3f\n", accuracy(alone, test));
  std::printf("distilled  %.3f\n", accuracy(distilled, test));
}
